import type { ModelDescription, PartDescription } from './describe-model.js';
import { grouped, printable, styleOf, table, widthOf, type TerminalStream } from './terminal.js';

const width = 66;
/** Columns of the arrows: of the image, and of the text. */
const [imageColumn, textColumn] = [8, 48];

const methods: Readonly<Record<ModelDescription['method'], readonly [title: string, how: string]>> = {
  A: ['unified embedding decoder', 'image embeddings stand in the sequence, in place of their tokens'],
  B: ['cross-attention', 'layers of the backbone attend to the image embeddings'],
  H: ['hybrid', 'image embeddings stand in the sequence, and layers attend to them'],
};

/**
 * The composition as a figure, from the image at the top to the text at the bottom: a box for each part, with its
 * parameters, and the shapes between them.
 */
export function drawModel(description: ModelDescription, stream: TerminalStream): string {
  const { bold, dim, cyan } = styleOf(stream);
  const { name, recipe, method, parameters, parts, shapes, image } = description;
  const shape = (what: string, sizes: readonly (string | number)[] | null): string =>
    `${what} [${(sizes ?? []).join(', ')}]`;
  const hasImage = image !== null && shapes.embeddings !== null;
  const arrow = (left: string | undefined, right?: string): string => {
    const before = left === undefined ? '' : `${' '.repeat(imageColumn)}│ ${dim(left)}`;
    return right === undefined
      ? before
      : `${before}${' '.repeat(textColumn - widthOf(before))}│ ${dim(right)}`;
  };
  const box = (
    kind: string,
    part: Omit<PartDescription, 'parameters'> & { readonly parameters?: number },
    details: readonly string[],
    inputs: readonly number[],
  ): string[] => {
    const border = (ends: string, marks: readonly number[], mark: string): string =>
      Array.from({ length: width }, (_, i) =>
        i === 0 ? ends[0]! : i === width - 1 ? ends[1]! : marks.includes(i) ? mark : '─',
      ).join('');
    const line = (left: string, right = ''): string =>
      `│ ${left}${' '.repeat(Math.max(1, width - 4 - widthOf(left) - widthOf(right)))}${right} │`;
    const total = part.parameters === undefined ? '' : `${grouped(part.parameters)}`;
    return [
      border('┌┐', inputs, '▼'),
      line(`${bold(kind.padEnd(9))} ${cyan(part.id)}`, total),
      ...details
        .flatMap((text) => wrapped(text, width - 15))
        .map((text) => line(`${' '.repeat(10)}${dim(text)}`)),
      border('└┘', [imageColumn], '┬'),
    ];
  };

  const [title, how] = methods[method];
  const kind = hasImage ? `, method ${method}: ${title}` : '';
  const lines = [
    `${bold(printable(name))} (${printable(recipe)}${kind}), ${grouped(parameters.total)} parameters`,
    '',
  ];
  if (hasImage) {
    const size = `${image.width} x ${image.height} pixels`;
    lines.push(
      `${' '.repeat(imageColumn - 2)}image  ${dim(`${size}, ${image.tiles === 1 ? '1 tile' : `${image.tiles} tiles`}`)}`,
    );
    lines.push(arrow(shape('pixels', shapes.pixels)));
    lines.push(
      ...box('encoder', parts.encoder!, [configText(parts.encoder!.config)], [imageColumn]),
      arrow(shape('features', shapes.features)),
    );
    lines.push(...box('connector', parts.connector!, [configText(parts.connector!.config)], [imageColumn]));
    lines.push(
      `${arrow(shape('embeddings', shapes.embeddings))}${' '.repeat(textColumn - 2 - widthOf(arrow(shape('embeddings', shapes.embeddings))))}prompt`,
    );
    lines.push(arrow(image.formula, 'ids [1, L]'));
    lines.push(
      ...box('fusion', parts.fusion, [how], [imageColumn, textColumn]),
      arrow(shape('hidden states', shapes.hiddenStates)),
    );
  } else lines.push(`${' '.repeat(imageColumn - 2)}prompt`, arrow('ids [1, L]'));
  const head =
    parameters.head > 0
      ? `the head has ${grouped(parameters.head)} parameters of its own`
      : 'the head is the token table';
  lines.push(...box('backbone', parts.backbone, [configText(parts.backbone.config), head], [imageColumn]));
  lines.push(arrow(shape('logits', shapes.logits)), `${' '.repeat(imageColumn - 2)}text`, '');
  const rows = Object.entries(parameters).filter(([part, count]) => part !== 'total' && count > 0);
  lines.push(
    table([
      ['parameters', ''],
      ...rows.map(([part, count]) => [part, grouped(count)]),
      ['total', grouped(parameters.total)],
    ]),
  );
  if (hasImage)
    lines.push(
      '',
      `A picture of ${image.width} x ${image.height} pixels takes ${grouped(image.tokens)} tokens: ${image.formula}.`,
    );
  return lines.join('\n');
}

/** What is told of a part's configuration, in this order. */
const facts: readonly (readonly [
  key: string,
  text: (value: unknown, config: Readonly<Record<string, unknown>>) => string | undefined,
])[] = [
  ['numHiddenLayers', (value) => `${String(value)} layers`],
  ['hiddenSize', (value) => `width ${String(value)}`],
  ['intermediateSize', (value) => `MLP ${String(value)}`],
  [
    'numAttentionHeads',
    (value, { numKeyValueHeads: kv }) =>
      `${String(value)} heads${kv === undefined || kv === value ? '' : ` over ${String(kv)} of keys and values`}`,
  ],
  ['patchSize', (value) => `patches of ${String(value)}`],
  ['featureLayers', (value) => `features of layer ${String(value)}`],
  ['scaleFactor', (value) => `${String(value)} x ${String(value)} patches to one token`],
  ['hiddenAct', (value) => String(value)],
  [
    'slidingWindow',
    (value) => (value === null || value === undefined ? undefined : `window ${String(value)}`),
  ],
];

const configText = (config: Readonly<Record<string, unknown>>): string =>
  printable(
    facts.flatMap(([key, text]) => (key in config ? (text(config[key], config) ?? []) : [])).join(', '),
  );

function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ').filter(Boolean)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
