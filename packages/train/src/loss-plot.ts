import { printableLine } from '@weft/errors';
import { scaleLinear, scaleLog } from 'd3-scale';
import type { Metric } from './metric.js';
import { movingMean } from './moving-mean.js';

/** Sizes in pixels; `line` is the height of a line of text. */
const [width, height, right, bottom, line] = [720, 400, 24, 60, 16];
/** A value of 0 has no place on a logarithmic axis; smaller ones stand at its foot. */
const smallest = 1e-9;

const colours = { each: '#9ecae1', mean: '#08519c', heldOut: '#d94801', words: '#444' } as const;

/** A loss at an update of a run, counted from 1 over all stages. */
interface Point {
  readonly update: number;
  readonly loss: number;
}

/** One stage of a run, as it is drawn. */
interface Stretch {
  readonly name: string;
  /** First update. */
  readonly from: number;
  readonly each: readonly Point[];
  readonly mean: readonly Point[];
}

/**
 * Loss over all updates as an SVG picture: every update faint, the running mean of each stage strong, held-out samples as
 * dots. Of long runs the faint line shows the least and the largest loss of each pixel's updates, so that the picture stays
 * small.
 */
export function lossPlot(metrics: readonly Metric[]): string {
  const heldOut = metrics.flatMap(({ evaluation }, i): Point[] =>
    evaluation === undefined ? [] : [{ update: i + 1, loss: evaluation }],
  );
  const y = scaleLog(domainOf(metrics), [0, 1]).clamp(true);
  // Ticks of a logarithmic axis come by the dozen: the labelled ones are thinned out.
  const ticks = y.ticks(6);
  const labelled = thinned(ticks, 9);
  const left = 14 + Math.max(...labelled.map((tick) => textWidth(numberText(tick))));
  const x = scaleLinear([1, Math.max(2, metrics.length)], [left, width - right]);
  const stretches = stretchesOf(metrics, 2 * (width - left - right));
  const names = placedNames(stretches, x);
  const top = 12 + line * names.rows;
  y.range([height - bottom, top]);
  const place = ({ update, loss }: Point): readonly string[] => [
    x(update).toFixed(1),
    y(Math.max(loss, smallest)).toFixed(1),
  ];
  const dot = (point: Point, colour: string, radius: number): string => {
    const [cx, cy] = place(point);
    return `<circle cx="${cx}" cy="${cy}" r="${radius}" fill="${colour}"/>`;
  };
  const curve = (points: readonly Point[], colour: string, thick: number): string =>
    // A line of one point would not be seen.
    points.length === 1
      ? dot(points[0]!, colour, thick)
      : `<polyline fill="none" stroke="${colour}" stroke-width="${thick}" stroke-linejoin="round" points="${points.map((point) => place(point).join()).join(' ')}"/>`;
  const updates = x.ticks(6).filter((tick) => Number.isInteger(tick) && tick >= 1 && tick <= metrics.length);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="${colours.words}">
<rect width="${width}" height="${height}" fill="#fff"/>
${ticks.map((tick) => `<path d="M${left} ${y(tick).toFixed(1)}H${width - right}" stroke="#e4e4e4"/>`).join('\n')}
${labelled.map((tick) => `<text x="${left - 6}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${numberText(tick)}</text>`).join('\n')}
${updates.map((tick) => `<path d="M${x(tick).toFixed(1)} ${height - bottom}v4" stroke="#999"/><text x="${Math.min(x(tick), width - 2 - textWidth(countText(tick)) / 2).toFixed(1)}" y="${height - bottom + 18}" text-anchor="middle">${countText(tick)}</text>`).join('\n')}
<path d="M${left} ${height - bottom}H${width - right}" stroke="#999"/>
${names.marks.map(({ at, text, from, row }) => `<path d="M${at.toFixed(1)} ${12 + line * row}V${height - bottom}" stroke="#999" stroke-dasharray="4 4"/><text x="${from.toFixed(1)}" y="${8 + line * (row + 1) - 4}">${escape(text)}</text>`).join('\n')}
${stretches.map(({ each }) => curve(each, colours.each, 1)).join('\n')}
${stretches.map(({ mean }) => curve(mean, colours.mean, 2)).join('\n')}
${heldOut.map((point) => dot(point, colours.heldOut, 3)).join('\n')}
${legend(left, height - 14, heldOut.length > 0)}
<text x="${width - right}" y="${height - 14}" text-anchor="end">${countText(metrics.length)} ${metrics.length === 1 ? 'update' : 'updates'}; loss on a logarithmic axis</text>
</svg>
`;
}

/** Least and largest loss, somewhat apart, and room above and below. */
function domainOf(metrics: readonly Metric[]): [least: number, most: number] {
  let [least, most] = [Infinity, 0];
  for (const { loss, evaluation = loss } of metrics)
    for (const value of [loss, evaluation]) {
      if (value > smallest) least = Math.min(least, value);
      most = Math.max(most, value);
    }
  if (least === Infinity) return [0.1, 1];
  const room = Math.max(most / least, 1.02) ** 0.05;
  return [least / room, Math.max(most, least * 1.02) * room];
}

/** The stages, each with at most about `most` points of a line. */
function stretchesOf(metrics: readonly Metric[], most: number): Stretch[] {
  const starts = metrics.flatMap(({ stage }, i) => (i === 0 || metrics[i - 1]!.stage !== stage ? [i] : []));
  const perBin = Math.ceil(metrics.length / most);
  return starts.map((start, number) => {
    const end = starts[number + 1] ?? metrics.length;
    const smooth = movingMean();
    const each: Point[] = [];
    const mean: Point[] = [];
    for (let from = start; from < end; from += perBin) {
      const to = Math.min(end, from + perBin);
      let [least, largest, last] = [from, from, 0];
      for (let i = from; i < to; i++) {
        last = smooth(metrics[i]!.loss);
        if (metrics[i]!.loss < metrics[least]!.loss) least = i;
        if (metrics[i]!.loss > metrics[largest]!.loss) largest = i;
      }
      for (const i of new Set([Math.min(least, largest), Math.max(least, largest)]))
        each.push({ update: i + 1, loss: metrics[i]!.loss });
      mean.push({ update: to, loss: last });
    }
    return { name: metrics[start]!.stage, from: start + 1, each, mean };
  });
}

/** At most so many of the ticks, evenly: all of them, or those of one or two leading digits. */
function thinned(ticks: readonly number[], most: number): readonly number[] {
  const digit = (tick: number): number => Number(tick.toExponential()[0]);
  const isRound = (digits: readonly number[]) => (tick: number) =>
    digits.includes(digit(tick)) && Number(tick.toPrecision(1)) === tick;
  for (const kept of [ticks, ticks.filter(isRound([1, 2, 5])), ticks.filter(isRound([1]))])
    if (kept.length <= most && kept.length > 1) return kept;
  const step = Math.ceil(ticks.length / most);
  return ticks.filter((_, i) => i % step === 0);
}

interface NameMark {
  /** Where the stage begins. */
  readonly at: number;
  readonly text: string;
  /** Where its name begins, and in which row from the top. */
  readonly from: number;
  readonly row: number;
}

/** Names of stages above the plot, in as many rows as keep them apart; none reaches beyond the picture. */
function placedNames(
  stretches: readonly Stretch[],
  x: (update: number) => number,
): { readonly marks: readonly NameMark[]; readonly rows: number } {
  const ends: number[] = [];
  const marks = stretches.map(({ name, from }) => {
    const text = shortened(printableLine(name), (width - right) * 0.6);
    const begin = Math.min(x(from) + 4, width - right - textWidth(text));
    let row = ends.findIndex((end) => end + 8 < begin);
    if (row < 0) row = ends.length;
    ends[row] = begin + textWidth(text);
    return { at: x(from), text, from: begin, row };
  });
  return { marks, rows: ends.length };
}

function shortened(text: string, most: number): string {
  const characters = [...text];
  while (textWidth(characters.join('')) > most) characters.splice(-2, 2, '…');
  return characters.join('');
}

/** Pixels that a text takes at most, 12 high: fonts differ, and those of East Asia are square. */
const textWidth = (text: string): number =>
  [...text].reduce((sum, character) => sum + (character.codePointAt(0)! < 0x1100 ? 7.5 : 13), 0);

const countText = (count: number): string => count.toLocaleString('en-US');

/** A tick without the noise of its last binary digit: `0.3`, `2,000`, `1e-7`. */
const numberText = (value: number): string =>
  value >= 1e-4
    ? value.toLocaleString('en-US', { maximumSignificantDigits: 6 })
    : Number(value.toPrecision(6)).toExponential();

function legend(left: number, y: number, hasHeldOut: boolean): string {
  const stroke = (from: number, colour: string, thick: number): string =>
    `<path d="M${from} ${y - 4}h18" stroke="${colour}" stroke-width="${thick}"/>`;
  const word = (from: number, text: string): string => `<text x="${from}" y="${y}">${text}</text>`;
  return [
    stroke(left, colours.each, 1),
    word(left + 24, 'each update'),
    stroke(left + 106, colours.mean, 2),
    word(left + 130, 'running mean'),
    ...(hasHeldOut
      ? [
          `<circle cx="${left + 230}" cy="${y - 4}" r="3" fill="${colours.heldOut}"/>`,
          word(left + 240, 'held-out samples'),
        ]
      : []),
  ].join('\n');
}

const escape = (text: string): string => text.replace(/[<>&"]/g, (c) => `&#${c.charCodeAt(0)};`);
