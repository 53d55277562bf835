import type { WriteStream } from 'node:tty';
import { printableJson, printableLine } from '@weft/errors';

/** What the functions here look at in a stream. */
export type TerminalStream = Pick<WriteStream, 'write'> &
  Partial<Pick<WriteStream, 'isTTY' | 'columns' | 'hasColors'>>;

/** Ways to write text; without colours the text itself. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly cyan: (text: string) => string;
}

/** Colours for terminals that have them. `NO_COLOR` and `TERM=dumb` switch them off. */
export function styleOf(stream: TerminalStream): Style {
  const coloured = Boolean(stream.isTTY && !process.env['NO_COLOR'] && (stream.hasColors?.() ?? false));
  const paint = (open: number, close: number) => (text: string) =>
    coloured ? `\x1b[${open}m${text}\x1b[${close}m` : text;
  return {
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    cyan: paint(36, 39),
  };
}

/** Columns padded to one width, those of numbers to the right; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    rows.reduce((most, row) => Math.max(most, widthOf(row[column] ?? '')), 0),
  );
  const isNumeric = widths.map((_, column) =>
    rows.slice(1).every((row) => /^([\d,.]+(e[+-]?\d+)?|-|)$/.test(row[column] ?? '')),
  );
  const pad = (cell: string, column: number): string => {
    const space = ' '.repeat(widths[column]! - widthOf(cell));
    return isNumeric[column] ? space + cell : cell + space;
  };
  return rows
    .map((row) =>
      widths
        .map((_, column) => pad(row[column] ?? '', column))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Columns that a text takes up, colours left out. */
export const widthOf = (text: string): number => [...text.replace(/\p{Cc}\[[\d;]*m/gu, '')].length;

/** What `--json` prints: one JSON value on lines of its own, in which no character acts on a terminal. */
export const jsonText = (value: unknown, indent?: number): string =>
  `${printableJson(JSON.stringify(value, null, indent))}\n`;

/** What is under way, on one line that goes away again. */
export interface StatusLine {
  /** @param share of the work that is done, 0 to 1, if it is known */
  show(text: string, share?: number): void;
  clear(): void;
}

/** A status line for long work; silent where the stream is not a terminal. */
export function statusLine(stream: TerminalStream): StatusLine {
  if (!stream.isTTY) return { show: () => undefined, clear: () => undefined };
  const { dim } = styleOf(stream);
  return {
    show(given, share) {
      const text = printableLine(given);
      const size = 24;
      const done = Math.round(size * Math.min(1, Math.max(0, share ?? 0)));
      const bar = share === undefined ? '' : `[${'#'.repeat(done)}${'-'.repeat(size - done)}] `;
      const room = Math.max(2, (stream.columns || 80) - bar.length - 1);
      stream.write(`\r${bar}${dim(text.length > room ? `${text.slice(0, room - 1)}…` : text)}\x1b[K`);
    },
    clear: () => void stream.write('\r\x1b[K'),
  };
}

/** A whole number with separators: `7,063,427,072`. */
export const grouped = (count: number): string => count.toLocaleString('en-US');

/** Bytes in the unit that fits: `4.1 MB`. */
export function bytesText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return power === 0 ? `${bytes} bytes` : `${(bytes / 1000 ** power).toPrecision(3)} ${units[power]}`;
}
