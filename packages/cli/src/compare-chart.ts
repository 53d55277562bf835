import { printableLine } from '@weft/errors';
import type { FusionAnswer, FusionCase } from '@weft/models';
import { scaleLinear } from 'd3-scale';
import type { Comparison } from './comparison.js';
import { methods as described } from './draw-model.js';

/** A bar in two pieces: what tokens of the decoder cost, and what pictures that are seen aside cost on top of it. */
interface Bar {
  readonly method: FusionAnswer['method'];
  readonly tokens: number;
  readonly aside: number;
}

/** One measure of all methods and cases. */
interface Panel {
  readonly title: string;
  /** Bars of each case. */
  readonly groups: readonly (readonly Bar[])[];
}

const colours: Readonly<Record<FusionAnswer['method'], readonly [tokens: string, aside: string]>> = {
  A: ['#08519c', '#9ecae1'],
  B: ['#a63603', '#fdae6b'],
  H: ['#006d2c', '#a1d99b'],
};
const [plotHeight, right, top, bottom] = [240, 20, 96, 64];
/** Pixels that a text takes at most, 12 high; fonts differ. */
const textWidth = (text: string): number => 7.5 * text.length;

/** The comparison as an SVG picture: tokens, operations and memory, a group of bars for each picture and prompt. */
export function comparisonChart(comparison: Comparison): string {
  const { encoder, connector, backbone, every, methods } = comparison;
  const measure = (title: string, of: (one: FusionCase) => Omit<Bar, 'method'>): Panel => ({
    title,
    groups: methods[0]!.cases.map((_, i) =>
      methods.map(({ method, cases }) => ({ method, ...of(cases[i]!) })),
    ),
  });
  const panels = [
    measure('tokens', ({ decoderTokens, crossTokens }) => ({ tokens: decoderTokens, aside: crossTokens })),
    measure('operations of a prompt, 10¹²', ({ flops }) => ({
      tokens: flops.prefill / 1e12,
      aside: flops.keys / 1e12,
    })),
    measure('caches, MB', ({ memory }) => ({ tokens: memory.tokens / 1e6, aside: memory.images / 1e6 })),
  ];
  const labels = methods[0]!.cases.map(({ image, textTokens }) => [
    `${image.width} × ${image.height}`,
    `${textTokens.toLocaleString('en-US')} of text`,
  ]);
  const scales = panels.map(scaleOf);
  const left =
    14 + largestOf(scales.flatMap((scale) => scale.ticks(6).map((tick) => textWidth(tickText(tick)))));
  // Wide enough for the words below a group of bars.
  const groupWidth = Math.max(272 / labels.length, 16 + largestOf(labels.flat().map(textWidth)));
  const panelWidth = left + labels.length * groupWidth + right;
  const title = printableLine(
    `${encoder}, ${connector}, ${backbone}; cross-attention before every ${every} layers`,
  );
  const width = largestOf([920, panels.length * panelWidth, left + 1.25 * textWidth(title) + right]);
  const height = top + plotHeight + bottom;
  const legend = methods.map(({ method }, i) => {
    const x = left + i * 220;
    return `<rect x="${x}" y="44" width="12" height="12" fill="${colours[method][0]}"/><text x="${x + 18}" y="54">${method}: ${described[method].title}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#444">
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="${left}" y="26" font-size="15" fill="#000">${escape(title)}</text>
${legend.join('\n')}
<text x="${left + methods.length * 220}" y="54">light: pictures seen aside, by cross-attention</text>
${panels.map((panel, i) => `<g transform="translate(${i * panelWidth} ${top})">\n${panelPicture(panel, labels, { scale: scales[i]!, left, groupWidth })}\n</g>`).join('\n')}
</svg>
`;
}

/** A panel whose plot begins at the origin. */
function panelPicture(
  { title, groups }: Panel,
  labels: readonly (readonly string[])[],
  {
    scale: y,
    left,
    groupWidth: each,
  }: { readonly scale: Scale; readonly left: number; readonly groupWidth: number },
): string {
  const barWidth = Math.min(36, each / (groups[0]!.length + 1));
  const block = (x: number, from: number, to: number, fill: string): string =>
    to > from
      ? `<rect x="${x.toFixed(1)}" y="${y(to).toFixed(1)}" width="${(barWidth * 0.9).toFixed(1)}" height="${(y(from) - y(to)).toFixed(1)}" fill="${fill}"/>`
      : '';
  const ticks = y
    .ticks(6)
    .map(
      (value) =>
        `<path d="M${left} ${y(value).toFixed(1)}h${each * groups.length}" stroke="#ddd"/><text x="${left - 6}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${tickText(value)}</text>`,
    );
  const bars = groups.flatMap((group, i) => {
    const middle = left + (i + 0.5) * each;
    const words = labels[i]!.map(
      (text, line) =>
        `<text x="${middle.toFixed(1)}" y="${plotHeight + 18 + 15 * line}" text-anchor="middle">${text}</text>`,
    );
    const pieces = group.flatMap(({ method, tokens, aside }, bar) => {
      const x = middle + (bar - group.length / 2) * barWidth;
      const [strong, light] = colours[method];
      return [block(x, 0, tokens, strong), block(x, tokens, tokens + aside, light)].filter(Boolean);
    });
    return [...pieces, ...words];
  });
  return [`<text x="${left}" y="-12" fill="#000">${title}</text>`, ...ticks, ...bars].join('\n');
}

type Scale = ReturnType<typeof scaleOf>;

/** From values to pixels from the top of the plot, up to a round value above the largest one. */
const scaleOf = ({ groups }: Panel) =>
  scaleLinear(
    [0, largestOf(groups.flat().map(({ tokens, aside }) => tokens + aside)) || 1],
    [plotHeight, 0],
  ).nice(6);

const tickText = (value: number): string => value.toLocaleString('en-US', { maximumSignificantDigits: 6 });

const largestOf = (values: readonly number[]): number =>
  values.reduce((largest, value) => Math.max(largest, value), 0);

const escape = (text: string): string => text.replace(/[<>&"]/g, (c) => `&#${c.charCodeAt(0)};`);
