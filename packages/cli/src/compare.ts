import {
  compareFusions,
  presetBackbone,
  presetConnector,
  presetEncoder,
  type FusionCase,
} from '@weft/models';
import { dynamicTiles, readDynamicTiles } from '@weft/processors';
import type { VisionEncoder } from '@weft/spec';
import { writeFileAtomic } from '@weft/weights';
import { comparisonChart } from './compare-chart.js';
import type { CompareFlags, Comparison } from './comparison.js';
import { methods as described } from './draw-model.js';
import { bytesText, grouped, jsonText, styleOf, table, type TerminalStream } from './terminal.js';

/**
 * What `weft compare` writes.
 *
 * @throws ConfigError if a name is not known, or the parts do not go together
 */
export async function compare(flags: CompareFlags, stream: TerminalStream): Promise<string> {
  const comparison = await comparisonOf(flags);
  if (flags.svg !== undefined) await writeFileAtomic(flags.svg, comparisonChart(comparison));
  return flags.json ? jsonText(comparison, 2) : `${comparisonText(comparison, stream)}\n`;
}

async function comparisonOf({
  encoder,
  backbone,
  every,
  maxTiles,
  image,
  promptTokens,
  ...flags
}: CompareFlags): Promise<Comparison> {
  const tower = await presetEncoder(encoder);
  const connector = flags.connector ?? usualConnector(tower);
  const bytesPerNumber = 2;
  const methods = await compareFusions({
    encoder: tower,
    connector: await presetConnector(connector),
    backbone: await presetBackbone(backbone),
    processor: dynamicTiles(readDynamicTiles({ max_patches: maxTiles })),
    layers: { every },
    images: image ?? [
      { width: 448, height: 448 },
      { width: 1344, height: 896 },
    ],
    textTokens: promptTokens ?? [128],
    bytesPerNumber,
  });
  return { encoder, connector, backbone, every, maxTiles, bytesPerNumber, methods };
}

const usualConnector = ({ grid }: VisionEncoder): string =>
  grid?.every((side) => side % 2 === 0) ? 'shuffle-mlp' : 'mlp';

function comparisonText(comparison: Comparison, stream: TerminalStream): string {
  const { encoder, connector, backbone, every, methods } = comparison;
  const { bold, dim } = styleOf(stream);
  const parameters = table([
    ['', 'method', 'parameters', 'of the fusion'],
    ...methods.map(({ method, parameters: { total, fusion } }) => [
      method,
      described[method].title,
      grouped(total),
      grouped(fusion),
    ]),
  ]);
  const cases = methods[0]!.cases.map(({ image, textTokens, tiles, flops }, i) => {
    const head = `${image.width} x ${image.height} pixels, ${grouped(textTokens)} tokens of text`;
    const seen = `${tiles} ${tiles === 1 ? 'tile' : 'tiles'}; the encoder computes ${inUnits(flops.vision, 1e12)} · 10¹² operations`;
    const rows = methods.map(({ method, cases: own }) => [method, ...figuresOf(own[i]!)]);
    const columns = ['', 'in the decoder', 'seen aside', 'prompt, 10¹²', 'next token, 10⁹', 'caches'];
    return `${bold(head)}\n${seen}\n${table([columns, ...rows])}`;
  });
  return [
    `${bold(`${encoder}, ${connector}, ${backbone}`)}, in B and H a cross-attention layer before every ${every} layers`,
    parameters,
    ...cases,
    dim(
      'In the decoder: tokens of text and picture. Seen aside: keys of the picture in each cross-attention layer.\nPrompt and next token: operations of the language model, keys and values of the picture among them. Caches hold 2 bytes a number.',
    ),
  ].join('\n\n');
}

const figuresOf = ({ decoderTokens, crossTokens, flops, memory }: FusionCase): string[] => [
  grouped(decoderTokens),
  grouped(crossTokens),
  inUnits(flops.prefill + flops.keys, 1e12),
  inUnits(flops.decode, 1e9),
  bytesText(memory.tokens + memory.images),
];

const inUnits = (count: number, unit: number): string => {
  const value = count / unit;
  return value >= 100 ? grouped(Math.round(value)) : value.toPrecision(3);
};
