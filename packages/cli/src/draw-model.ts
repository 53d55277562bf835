import type { ImageDescription, ModelDescription, PartDescription } from './describe-model.js';
import { printableLine } from '@weft/errors';
import { grouped, styleOf, table, widthOf, type Style, type TerminalStream } from './terminal.js';

const width = 66;
/** Columns of the arrows: of the image, and of the text. */
const [imageColumn, textColumn] = [8, 48];

/** The methods of the survey, and how images come into the language model under each. */
export const methods: Readonly<
  Record<ModelDescription['method'], { readonly title: string; readonly how: string }>
> = {
  A: {
    title: 'unified embedding decoder',
    how: 'image embeddings stand in the sequence, in place of their tokens',
  },
  B: { title: 'cross-attention', how: 'layers of the backbone attend to the image embeddings' },
  H: { title: 'hybrid', how: 'image embeddings stand in the sequence, and layers attend to them' },
};

/**
 * The composition as a figure, from the image at the top to the text at the bottom: a box for each part, with its
 * parameters, and the shapes between them.
 */
export function drawModel(description: ModelDescription, stream: TerminalStream): string {
  const style = styleOf(stream);
  const { name, recipe, method, parameters, parts, shapes, image } = description;
  const title = image ? `${recipe}, method ${method}: ${methods[method].title}` : recipe;
  const head =
    parameters.head > 0
      ? `the head has ${grouped(parameters.head)} parameters of its own`
      : 'the head is the token table';
  const rows = Object.entries(parameters).filter(([part, count]) => part !== 'total' && count > 0);
  return [
    `${style.bold(printableLine(name))} (${printableLine(title)}), ${grouped(parameters.total)} parameters`,
    '',
    ...(image ? drawSight(description, image, style) : [label('prompt'), ...arrow('ids [1, L]', style)]),
    ...box('backbone', parts.backbone, [configText(parts.backbone.config), head], style),
    ...arrow(`logits ${shapeText(shapes.logits)}`, style),
    label('text'),
    '',
    table([
      ['parameters', ''],
      ...rows.map(([part, count]) => [part, grouped(count)]),
      ['total', grouped(parameters.total)],
    ]),
    ...(image
      ? [
          '',
          `${picture(image)} take ${grouped(image.tokens)} ${image.tokens === 1 ? 'token' : 'tokens'}: ${image.formula}.`,
        ]
      : []),
  ].join('\n');
}

/** From the image to the hidden states that the backbone begins with. */
function drawSight(
  { method, parts, shapes }: ModelDescription,
  image: ImageDescription,
  style: Style,
): string[] {
  const size = style.dim(`${picture(image)}, ${image.tiles === 1 ? '1 tile' : `${image.tiles} tiles`}`);
  const embeddings = arrow(`embeddings ${shapeText(shapes.embeddings)}`, style);
  return [
    `${label('image')}  ${size}`,
    ...arrow(`pixels ${shapeText(shapes.pixels)}`, style),
    ...box('encoder', parts.encoder!, [configText(parts.encoder!.config)], style),
    ...arrow(`features ${shapeText(shapes.features)}`, style),
    ...box('connector', parts.connector!, [configText(parts.connector!.config)], style),
    ...embeddings.slice(0, -1),
    beside(embeddings.at(-1)!, 'prompt', textColumn - 2),
    ...arrow(image.formula, style, 'ids [1, L]'),
    ...box('fusion', parts.fusion, [methods[method].how], style, [imageColumn, textColumn]),
    ...arrow(`hidden states ${shapeText(shapes.hiddenStates)}`, style),
  ];
}

const picture = ({ width, height }: ImageDescription): string => `${width} x ${height} pixels`;
const shapeText = (sizes: readonly (string | number)[] | null): string => `[${(sizes ?? []).join(', ')}]`;
const label = (text: string): string => `${' '.repeat(imageColumn - 2)}${text}`;
const beside = (left: string, right: string, column: number): string =>
  `${left}${' '.repeat(Math.max(1, column - widthOf(left)))}${right}`;

/** What flows from one box to the next, and from the prompt; a long text takes several lines. */
function arrow(text: string, { dim }: Style, fromPrompt?: string): string[] {
  const lines = wrapped(text, textColumn - imageColumn - 4).map(
    (line) => `${' '.repeat(imageColumn)}│ ${dim(line)}`,
  );
  return fromPrompt === undefined
    ? lines
    : lines.map((line, i) => beside(line, i === lines.length - 1 ? `│ ${dim(fromPrompt)}` : '│', textColumn));
}

/** A part with its parameters; arrows come in at the columns of `inputs`. */
function box(
  kind: string,
  part: Pick<PartDescription, 'id'> & Partial<PartDescription>,
  details: readonly string[],
  { bold, dim, cyan }: Style,
  inputs: readonly number[] = [imageColumn],
): string[] {
  const border = (ends: string, marks: readonly number[], mark: string): string =>
    ends[0]! +
    Array.from({ length: width - 2 }, (_, i) => (marks.includes(i + 1) ? mark : '─')).join('') +
    ends[1]!;
  const line = (left: string, right = ''): string =>
    `${beside(`│ ${left}`, right, width - 2 - widthOf(right))} │`;
  return [
    border('┌┐', inputs, '▼'),
    line(
      `${bold(kind.padEnd(9))} ${cyan(printableLine(part.id))}`,
      part.parameters === undefined ? '' : grouped(part.parameters),
    ),
    ...details
      .flatMap((text) => wrapped(text, width - 15))
      .map((text) => line(`${' '.repeat(10)}${dim(text)}`)),
    border('└┘', [imageColumn], '┬'),
  ];
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
  printableLine(
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
