import { ConfigError } from '@weft/errors';
import { part, type Backbone, type ConnectorFactory, type Model, type VisionEncoder } from '@weft/spec';
import { entriesOf, findDefinition } from './parts.js';
import { recipeCatalog } from './recipe-catalog.js';
import { loadRecipe } from './recipes.js';
import { textRecipe } from './text.js';

/** Published language models, by the names of their backbone's sizes. */
const texts = () => entriesOf('backbone').flatMap((entry) => entry.presets.map((name) => ({ name, entry })));

/** Names of the published models that `presetModel` knows. */
export const presetNames = (): string[] => [
  ...recipeCatalog.flatMap(({ presets }) => presets),
  ...texts().map(({ name }) => name),
];

/**
 * A published model by name, without weights: for counting, drawing and composing.
 *
 * @throws ConfigError that lists the names, or names the packages of parts that are missing
 */
export async function presetModel(name: string): Promise<Model> {
  const recipe = recipeCatalog.find(({ presets }) => presets.includes(name));
  if (recipe) {
    const { presets, read } = await loadRecipe(recipe);
    const { config, ...files } = await presets[name]!();
    return read(config, files);
  }
  const text = texts().find((one) => one.name === name);
  if (!text) throw unknown('preset', name, presetNames());
  const { presets, write } = await findDefinition('backbone', text.entry.id);
  const model = await textRecipe(write!(presets[name]!)!);
  // A size without the special fields of its class is written as the first of its family's.
  const [first] = text.entry.types;
  const own = text.entry.types.find((type) => name.startsWith(type));
  return model.name === first && own !== undefined ? { ...model, name: own } : model;
}

/** Vision towers by family and published size, such as `siglip-so400m-patch14-384`, unless the size says the family. */
const towers = () =>
  entriesOf('encoder').flatMap((entry) => {
    const family = entry.id.replace(/^encoder-/, '');
    const isSaid = (preset: string): boolean =>
      preset.replaceAll('-', '').startsWith(family.replaceAll('-', ''));
    return entry.presets.map((preset) => ({
      name: isSaid(preset) ? preset : `${family}-${preset}`,
      entry,
      preset,
    }));
  });
const connectors = () =>
  entriesOf('connector').map((entry) => ({ name: entry.id.replace(/^connector-/, ''), entry }));

/** Names that `presetEncoder` knows. */
export const presetEncoderNames = (): string[] => towers().map(({ name }) => name);

/** Names that `presetConnector` knows. */
export const presetConnectorNames = (): string[] => connectors().map(({ name }) => name);

/**
 * A vision tower of a published size, without weights.
 *
 * @throws ConfigError that lists the names, or if its package is not installed
 */
export async function presetEncoder(name: string): Promise<VisionEncoder> {
  const found = towers().find((one) => one.name === name);
  if (!found) throw unknown('vision encoder', name, presetEncoderNames());
  const { create, presets } = await findDefinition('encoder', found.entry.id);
  return create(presets[found.preset]!);
}

/**
 * A connector by its idea, such as `mlp` or `pixel-shuffle`: in its first published size, or by its defaults.
 *
 * @throws ConfigError that lists the names, or if its package is not installed
 */
export async function presetConnector(name: string): Promise<ConnectorFactory> {
  const found = connectors().find((one) => one.name === name);
  if (!found) throw unknown('connector', name, presetConnectorNames());
  const { create, presets } = await findDefinition('connector', found.entry.id);
  return create(Object.values(presets)[0] ?? {});
}

/**
 * The language model of a published model, of those with sight as well.
 *
 * @throws ConfigError that lists the names, or if the model has cross-attention layers of its own
 */
export async function presetBackbone(name: string): Promise<Backbone> {
  const model = await presetModel(name);
  if (model.added.length > 0)
    throw new ConfigError({
      message: `The language model of '${name}' has cross-attention layers already.`,
      hint: 'Choose the language model that it was made of.',
    });
  return part(model, 'backbone');
}

const unknown = (kind: string, name: string, known: readonly string[]): ConfigError =>
  new ConfigError({ message: `There is no ${kind} '${name}'.`, hint: `Known: ${known.join(', ')}.` });
