import { UnsupportedError } from '@weft/errors';
import type { PublishedForm } from './published.js';

type Fields = Readonly<Record<string, unknown>>;

/** What the header of a file says of a tensor. */
export interface StoredTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** Tensors of a file that stand for one matrix. */
export interface PublishedJoin {
  /** Name that the matrix would have as a tensor of its own. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly form: PublishedForm;
  /** Names of the tensors by their roles. */
  readonly pieces: Readonly<Record<string, string>>;
}

/** How a published checkpoint stores its matrices, by its `quantization_config`. */
export interface PublishedFormat {
  /** As files call it: `gptq`, `awq`, `bitsandbytes`, `fp8`, `compressed-tensors`. */
  readonly method: string;
  /**
   * The matrices that tensors of a file stand for.
   *
   * @param shapeOf shape that a matrix has in the model, where tensors do not say it
   */
  joins(
    tensors: ReadonlyMap<string, StoredTensor>,
    shapeOf: (name: string) => readonly number[] | undefined,
  ): PublishedJoin[];
  /** Why a tensor is not needed, such as the scale of activations, which are not rounded here. */
  unused(name: string): string | undefined;
}

/**
 * The format that a `config.json` states, `undefined` if it states none.
 *
 * @throws UnsupportedError that names the method, or the setting of a method, that is not read
 */
export function publishedFormat(config: Fields): PublishedFormat | undefined {
  const text = config['text_config'] as Fields | undefined;
  const stated =
    config['quantization_config'] ?? config['compression_config'] ?? text?.['quantization_config'];
  if (typeof stated !== 'object' || stated === null) return undefined;
  const settings = stated as Fields;
  const method = String(
    settings['quant_method'] ?? (settings['load_in_4bit'] || settings['load_in_8bit'] ? 'bitsandbytes' : ''),
  );
  const format = formats[method];
  if (format) return { method, ...format(settings) };
  throw new UnsupportedError({
    message: `The weights are quantized by the method '${method}', which is not read.`,
    where: 'config.json: quantization_config.quant_method',
    hint: `Methods that are read: ${Object.keys(formats).join(', ')}.`,
  });
}

type Format = Omit<PublishedFormat, 'method'>;

const none = (): undefined => undefined;

function refuse(where: string, found: unknown, expected: string): never {
  throw new UnsupportedError({
    message: `${where} is ${JSON.stringify(found) ?? 'missing'}, and only ${expected} is read.`,
    where: `config.json: quantization_config.${where}`,
    hint: 'Take the checkpoint as it was before it was quantized, and use --dtype q4.',
  });
}

/** Bits and the size of groups, -1 or nothing for a whole row. */
function groupsOf(
  settings: Fields,
  bitsKey: string,
  bits: readonly number[],
): { bits: 4 | 8; groupSize: number } {
  const own = settings[bitsKey];
  if (!bits.includes(own as number)) refuse(bitsKey, own, bits.join(' or '));
  const size = settings['group_size'];
  if (size === undefined || size === null || size === -1) return { bits: own as 4 | 8, groupSize: Infinity };
  if (!(Number.isSafeInteger(size) && (size as number) > 0))
    refuse('group_size', size, 'a number above 0, or -1');
  return { bits: own as 4 | 8, groupSize: size as number };
}

/** Matrices whose first tensor ends so; the rest are looked for beside it. */
const ending = (tensors: ReadonlyMap<string, StoredTensor>, end: string): string[] =>
  [...tensors.keys()].filter((name) => name.endsWith(end)).map((name) => name.slice(0, -end.length));

/** The tensors of these roles that the file has. */
const present = (
  tensors: ReadonlyMap<string, StoredTensor>,
  pieces: Readonly<Record<string, string>>,
  optional: readonly string[] = [],
): Record<string, string> =>
  Object.fromEntries(
    Object.entries(pieces).filter(([role, name]) => !optional.includes(role) || tensors.has(name)),
  );

const formats: Readonly<Record<string, (settings: Fields) => Format>> = {
  gptq: (settings) => {
    const { bits, groupSize } = groupsOf(settings, 'bits', [4, 8]);
    const zeroShift = settings['checkpoint_format'] === 'gptq_v2' ? 0 : 1;
    // Without it `g_idx` counts the groups in the order of the columns.
    const isReordered = settings['desc_act'] !== false;
    return {
      unused: (name) =>
        !isReordered && name.endsWith('.g_idx')
          ? 'groups are consecutive columns (desc_act is false)'
          : undefined,
      joins: (tensors) =>
        ending(tensors, '.qweight').map((base) => {
          const [lines = 0, rows = 0] = tensors.get(`${base}.qweight`)!.shape;
          const columns = (lines * 32) / bits;
          const roles = ['qweight', 'qzeros', 'scales', ...(isReordered ? ['g_idx'] : [])];
          return {
            name: `${base}.weight`,
            shape: [rows, columns],
            form: { kind: 'gptq', bits, groupSize: Math.min(groupSize, columns), zeroShift },
            pieces: present(tensors, Object.fromEntries(roles.map((role) => [role, `${base}.${role}`])), [
              'g_idx',
            ]),
          };
        }),
    };
  },
  awq: (settings) => {
    const { groupSize } = groupsOf(
      { bits: settings['w_bit'] ?? 4, group_size: settings['q_group_size'], ...settings },
      'bits',
      [4],
    );
    const version = settings['version'] ?? 'gemm';
    if (String(version).toLowerCase() !== 'gemm') refuse('version', version, "'gemm'");
    return {
      unused: none,
      joins: (tensors) =>
        ending(tensors, '.qweight').map((base) => {
          const [columns = 0, words = 0] = tensors.get(`${base}.qweight`)!.shape;
          return {
            name: `${base}.weight`,
            shape: [words * 8, columns],
            form: { kind: 'awq', groupSize: Math.min(groupSize, columns) },
            pieces: Object.fromEntries(
              ['qweight', 'qzeros', 'scales'].map((role) => [role, `${base}.${role}`]),
            ),
          };
        }),
    };
  },
  bitsandbytes: () => ({
    unused: (name) => (name.endsWith('.weight_format') ? 'the layout of int8 weights on a GPU' : undefined),
    joins: (tensors, shapeOf) => [
      ...ending(tensors, '.weight.absmax').map((base): PublishedJoin => {
        const name = `${base}.weight`;
        const state = ['nf4', 'fp4'].map((type) => `${name}.quant_state.bitsandbytes__${type}`);
        return {
          name,
          shape: shapeOf(name) ?? [],
          form: { kind: 'bnb-4bit' },
          pieces: present(
            tensors,
            {
              weight: name,
              absmax: `${name}.absmax`,
              quant_map: `${name}.quant_map`,
              nested_absmax: `${name}.nested_absmax`,
              nested_quant_map: `${name}.nested_quant_map`,
              quant_state: state.find((own) => tensors.has(own)) ?? state[0]!,
            },
            ['nested_absmax', 'nested_quant_map'],
          ),
        };
      }),
      ...ending(tensors, '.SCB').map((base): PublishedJoin => ({
        name: `${base}.weight`,
        shape: tensors.get(`${base}.weight`)?.shape ?? [],
        form: { kind: 'bnb-int8' },
        pieces: { weight: `${base}.weight`, SCB: `${base}.SCB` },
      })),
    ],
  }),
  fp8: (settings) => ({
    unused: activationScale,
    joins: (tensors) => {
      const [tall, wide] = (settings['weight_block_size'] ?? [128, 128]) as readonly number[];
      return [
        ...scaledBy(tensors, '.weight_scale_inv', () => [tall!, wide!]),
        ...scaledBy(tensors, '.weight_scale', blockOfScales),
      ];
    },
  }),
  'compressed-tensors': (settings) => {
    const form = String(settings['format']);
    if (form !== 'pack-quantized')
      return {
        unused: activationScale,
        joins: (tensors) => scaledBy(tensors, '.weight_scale', blockOfScales),
      };
    const groups = Object.values((settings['config_groups'] ?? {}) as Readonly<Record<string, Fields>>);
    if (groups.length !== 1) refuse('config_groups', groups.length, 'one group');
    const { bits, groupSize } = groupsOf((groups[0]!['weights'] ?? {}) as Fields, 'num_bits', [4, 8]);
    return {
      unused: (name) => (name.endsWith('.weight_shape') ? 'said by the config' : activationScale(name)),
      joins: (tensors, shapeOf) =>
        ending(tensors, '.weight_packed').map((base): PublishedJoin => {
          const [rows = 0, words = 0] = tensors.get(`${base}.weight_packed`)!.shape;
          const shape = shapeOf(`${base}.weight`) ?? [rows, (words * 32) / bits];
          return {
            name: `${base}.weight`,
            shape,
            form: { kind: 'packed', bits, groupSize: Math.min(groupSize, shape[1] ?? Infinity) },
            pieces: present(
              tensors,
              {
                weight: `${base}.weight_packed`,
                scale: `${base}.weight_scale`,
                zero_point: `${base}.weight_zero_point`,
              },
              ['zero_point'],
            ),
          };
        }),
    };
  },
};

const activationScale = (name: string): string | undefined =>
  /\.(input|output|k|v|q)_(scale|zero_point)$/.test(name) || name.endsWith('.activation_scale')
    ? 'a scale of activations, which are not rounded to 8 bits by it here'
    : undefined;

/** Weights with a scale beside each. */
function scaledBy(
  tensors: ReadonlyMap<string, StoredTensor>,
  end: string,
  blockOf: (weight: readonly number[], scale: readonly number[]) => readonly [number, number],
): PublishedJoin[] {
  return ending(tensors, end).map((base) => {
    const name = `${base}.weight`;
    const shape = tensors.get(name)?.shape ?? [];
    return {
      name,
      shape,
      form: { kind: 'scaled', block: blockOf(shape, tensors.get(`${base}${end}`)!.shape) },
      pieces: { weight: name, scale: `${base}${end}` },
    };
  });
}

/** One scale for all, for each row, or for each group of a row. */
function blockOfScales(weight: readonly number[], scale: readonly number[]): readonly [number, number] {
  const [rows = 1, columns = 1] = weight;
  const [tall = 1, wide = 1] = scale;
  return [Math.ceil(rows / tall), Math.ceil(columns / wide)];
}
