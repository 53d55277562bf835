import { mapsFiles } from '#backend';
import { UnsupportedError } from '@weft/errors';
import { makeGraph, substitute, type AttentionAttributes, type Graph } from '@weft/graph';
import { textGraph, visionGraph } from '@weft/models';
import {
  emitModel,
  inference,
  targets,
  type ExternalTensor,
  type InferenceGraph,
  type StoredWeight,
  type Target,
} from '@weft/onnx';
import { part, senseOf, sensePartsOf, type ImageSense, type Model } from '@weft/spec';
import type { MatchedWeights } from '@weft/weights';
import type { EmittedGraph, EngineSetup } from './engine.js';
import { locateWeights, type StoredPlan } from './weight-location.js';

/** How the weights of a model are kept and computed with, where it is not as its files have them. */
export interface Storage {
  /** Weights in blocks. */
  readonly plan?: StoredPlan | undefined;
  /** What graphs are lowered for; engines run on the processor, and keep time-major caches. */
  readonly target?: Target | undefined;
}

/** The graphs of a model over the weights of its files, and what an engine needs to know of them. */
export function setUpEngine(
  model: Model,
  given: Pick<EngineSetup, 'preparer' | 'threads' | 'prefixCacheBytes'>,
  entries: MatchedWeights['entries'],
  { plan, target = targets.cpu }: Storage = {},
): EngineSetup {
  const layout = target.cacheLayout;
  if (layout !== 'time-major')
    throw new UnsupportedError({
      message: `Graphs for ${target.name} have a ${layout} cache, but engines keep time-major ones.`,
      where: model.name,
    });
  const { folder, locate, pieceAt } = locateWeights(entries, { plan, mapsFiles });
  const emit = (name: string, graph: Graph): EmittedGraph => {
    const used = new Set<string>();
    const weights = (path: string): StoredWeight => {
      const stored = locate(path);
      for (const { location } of tensorsOf(stored)) used.add(location);
      return stored;
    };
    const { bytes } = emitModel(graph, { name, weights, target });
    return { bytes, pieces: [...used].flatMap((location) => pieceAt(location) ?? []) };
  };
  const sight = senseOf(model, 'image');
  const plain = textGraph(model, { tiles: false });
  const text = inference(plain, { layout });
  const whole = sight?.cross && inference(textGraph(model), { layout });
  return {
    ...given,
    weightFolder: folder,
    text: {
      ...emit('text', text.graph),
      cache: text.cache,
      hiddenSize: part(model, 'backbone').shape.hiddenSize,
      axes: model.positions?.axes,
      takesLengths: plain.inputs.has('sequence_lengths'),
      hasWindow: hasWindow(plain),
    },
    vision: sight
      ? {
          ...emit('vision', whole ? withHeld(visionGraph(model), whole) : visionGraph(model)),
          isPlaced: model.fusion.method !== 'B',
          isTiled: isTiled(model, sight),
        }
      : null,
    cross:
      sight?.cross && whole
        ? {
            ...emit('cross', whole.graph),
            slots: whole.held?.slots ?? [],
            keysPerTile: sight.cross.tokensPerTile + sight.cross.tagTokens,
            tagTokens: sight.cross.tagTokens,
          }
        : null,
  };
}

/** All that is stored of a weight. */
function tensorsOf(stored: StoredWeight): ExternalTensor[] {
  if (!('data' in stored)) return [stored];
  return [stored.data, stored.scales, ...(stored.zeroPoints ? [stored.zeroPoints] : [])];
}

const hasWindow = ({ nodes }: Graph): boolean =>
  nodes.some(
    ({ op, attributes }) => op === 'Attention' && (attributes as AttentionAttributes).window !== undefined,
  );

/** Whether what is seen goes through the graph tile by tile, each on its own. */
function isTiled(model: Model, sight: ImageSense): boolean {
  const { encoder, arranger } = sensePartsOf(model, sight);
  return !encoder.prepare && !arranger && !sight.cross;
}

/** Pixels to image embeddings, and on to the keys and values that cross-attention layers hold. */
function withHeld(vision: Graph, { held }: InferenceGraph): Graph {
  const embeds = vision.outputs['image_embeds']!;
  return makeGraph({
    ...vision.outputs,
    ...(held ? substitute(held.graph, { tile_embeds: embeds }).outputs : {}),
  });
}
