/** What grouping needs of a row. */
export interface GroupedRow {
  /** Tokens that its sequence holds. */
  readonly past: number;
  /** New tokens. */
  readonly count: number;
  /** Whether it sees by cross-attention. */
  readonly isCrossed: boolean;
}

/** Padding of the past that is let pass beside the tokens, of each row. */
const sparePast = 256;
/** Padding among new tokens that costs less than a run of their own. */
const spareNew = 64;

/**
 * Which rows run together, by their numbers: those that take the same graph, with little padding among the new
 * tokens, and in the past at most half as much as there are tokens.
 *
 * @param hasWindow whether a layer counts distances: padding may then not come between old and new tokens of a row
 */
export function groupRows(rows: readonly GroupedRow[], hasWindow: boolean): number[][] {
  const groups: number[][] = [];
  for (const isCrossed of [false, true]) {
    const order = rows
      .map((_, i) => i)
      .filter((i) => rows[i]!.isCrossed === isCrossed)
      .sort((a, b) => rows[b]!.count - rows[a]!.count || rows[b]!.past - rows[a]!.past || a - b);
    let open: Group | undefined;
    for (const i of order) {
      const { past, count } = rows[i]!;
      const next: Group = {
        rows: [...(open?.rows ?? []), i],
        // The first has most.
        longest: open?.longest ?? count,
        counts: (open?.counts ?? 0) + count,
        furthest: Math.max(open?.furthest ?? 0, past),
        pasts: (open?.pasts ?? 0) + past,
      };
      const size = next.rows.length;
      const fits =
        size * next.longest <= 1.25 * next.counts + spareNew &&
        size * next.furthest <= 1.5 * next.pasts + size * sparePast &&
        (!hasWindow || count === next.longest || past === 0);
      if (open && fits) open = next;
      else {
        if (open) groups.push(open.rows);
        open = { rows: [i], longest: count, counts: count, furthest: past, pasts: past };
      }
    }
    if (open) groups.push(open.rows);
  }
  return groups;
}

interface Group {
  readonly rows: number[];
  readonly longest: number;
  readonly counts: number;
  readonly furthest: number;
  readonly pasts: number;
}
