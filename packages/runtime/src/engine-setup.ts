import { makeGraph, substitute, type AttentionAttributes, type Graph } from '@weft/graph';
import { textGraph, visionGraph } from '@weft/models';
import { emitModel, inference, type InferenceGraph } from '@weft/onnx';
import { part, senseOf, sensePartsOf, type ImageSense, type Model } from '@weft/spec';
import type { MatchedWeights } from '@weft/weights';
import type { EngineSetup } from './engine.js';
import { locateWeights } from './weight-location.js';

/** The graphs of a model over the weights of its files, and what an engine needs to know of them. */
export function setUpEngine(
  model: Model,
  given: Pick<EngineSetup, 'preparer' | 'threads' | 'prefixCacheBytes'>,
  entries: MatchedWeights['entries'],
): EngineSetup {
  const { folder, locate } = locateWeights(entries);
  const emit = (name: string, graph: Graph): Uint8Array => emitModel(graph, { name, weights: locate }).bytes;
  const sight = senseOf(model, 'image');
  const plain = textGraph(model, { tiles: false });
  const text = inference(plain);
  const whole = sight?.cross && inference(textGraph(model));
  return {
    ...given,
    weightFolder: folder,
    text: {
      bytes: emit('text', text.graph),
      cache: text.cache,
      hiddenSize: part(model, 'backbone').shape.hiddenSize,
      axes: model.positions?.axes,
      hasWindow: hasWindow(plain),
    },
    vision: sight
      ? {
          bytes: emit('vision', whole ? withHeld(visionGraph(model), whole) : visionGraph(model)),
          isPlaced: model.fusion.method !== 'B',
          isTiled: isTiled(model, sight),
        }
      : null,
    cross:
      sight?.cross && whole
        ? {
            bytes: emit('cross', whole.graph),
            slots: whole.held?.slots ?? [],
            keysPerTile: sight.cross.tokensPerTile + sight.cross.tagTokens,
            tagTokens: sight.cross.tagTokens,
          }
        : null,
  };
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
