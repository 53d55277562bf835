import { ConfigError } from '@weft/errors';
import { namedParameters } from '@weft/graph';
import { configOf, initialValues, modelOf, type PartName } from '@weft/models';
import {
  importPackage,
  maxPositionsOf,
  openPart,
  partWeights,
  readCheckpointFiles,
  writeModel,
  type WeightToWrite,
} from '@weft/runtime';
import type { Json, Model } from '@weft/spec';
import { loadTokenizer } from '@weft/text';
import { listParameters } from '@weft/train';
import type { ComposeConfig, PartConfig } from './compose-config.js';

const partNames = ['encoder', 'connector', 'backbone'] as const satisfies readonly PartName[];

/**
 * Puts a model together from parts and writes it as a checkpoint folder: parts of other folders with their weights,
 * new parts with seeded ones. A vocabulary without the image token grows by it.
 *
 * @throws ConfigError if parts do not fit, or a folder has no such part
 */
export async function composeFolder(folder: string, compose: ComposeConfig, seed: number): Promise<void> {
  const preprocessor = compose.preprocessor ?? (await preprocessorOf(compose));
  const maxPositionEmbeddings = maxPositionsOf(
    (await readCheckpointFiles(compose.backbone.from ?? compose.tokenizer)).config,
  );
  const { model, isGrown } = await modelOfParts(
    compose,
    preprocessor,
    Number.isFinite(maxPositionEmbeddings) ? maxPositionEmbeddings : undefined,
  );
  const weights: WeightToWrite[] = [];
  const parameters = namedParameters(model.module);
  const initialise = (name: string): void => {
    for (const { path } of listParameters(model).filter(({ part }) => part === name)) {
      const { elements, initializer } = parameters.get(path)!;
      weights.push([path, initialValues(path, elements, initializer, seed)]);
    }
  };
  initialise('fusion');
  for (const name of partNames) {
    const { from } = compose[name];
    if (from !== undefined)
      weights.push(
        ...(await partWeights(
          from,
          name,
          model,
          isGrown && name === 'backbone' ? { newTokens: 'mean' } : {},
        )),
      );
    else initialise(name);
  }
  await writeModel(folder, { model, weights, preprocessor, tokenizerFrom: compose.tokenizer });
}

async function preprocessorOf({ encoder }: ComposeConfig): Promise<Json> {
  const found = encoder.from === undefined ? {} : (await readCheckpointFiles(encoder.from)).preprocessor;
  if (Object.keys(found).length > 0) return found;
  throw new ConfigError({
    message: 'Nothing says how pictures are prepared: there is no preprocessor_config.json.',
    where: encoder.from ?? 'model.compose.encoder',
    hint: 'Add "preprocessor": { "image_processor_type": "SiglipImageProcessor", "size": { "height": 224, "width": 224 } } to compose.',
  });
}

async function modelOfParts(
  compose: ComposeConfig,
  preprocessor: Json,
  maxPositionEmbeddings: number | undefined,
): Promise<{ readonly model: Model; readonly isGrown: boolean }> {
  const { name, placeholder } = compose;
  const [encoder, connector, backbone] = await Promise.all(
    partNames.map((part) => partSection(part, compose[part])),
  );
  const tokenizer = await loadTokenizer(compose.tokenizer);
  const imageTokenId = tokenizer.tokenToId(placeholder) ?? tokenizer.vocabSize;
  const rows = Number(backbone!.config['vocabSize']);
  const isGrown = imageTokenId >= rows;
  const parts = await modelOf(
    {
      model_type: 'weft',
      name,
      encoder,
      connector,
      backbone: {
        ...backbone,
        config: { ...backbone!.config, ...(isGrown ? { vocabSize: imageTokenId + 1 } : {}) },
      },
      fusion: compose.fusion,
      image_token_id: imageTokenId,
      placeholder,
    },
    { preprocessor, importPackage },
  );
  // Read again from its config.json, which is LLaVA's where that can express the model.
  return {
    model: await modelOf(await configOf(parts, { maxPositionEmbeddings, importPackage }), {
      preprocessor,
      importPackage,
    }),
    isGrown,
  };
}

/** A part as `model_type: weft` describes it. */
async function partSection(
  part: PartName,
  { from, id, config }: PartConfig,
): Promise<{ readonly id: string; readonly config: Json; readonly package?: string }> {
  if (from === undefined) return { id: id!, config };
  const found = (await openPart(from, part)).part.part;
  if (id !== undefined && id !== found.id)
    throw new ConfigError({
      message: `The ${part} of the folder is ${found.id}, not ${id}.`,
      where: from,
      hint: 'Leave id out, or take the part from another folder.',
    });
  return {
    id: found.id,
    config: { ...found.config, ...config },
    ...(found.package === undefined ? {} : { package: found.package }),
  };
}
