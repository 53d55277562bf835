import { InputError } from '@weft/errors';
import {
  checkConfig,
  type PartDefinition,
  type PositionRule,
  type PositionsFactory,
  type VisualLayout,
} from '@weft/spec';

/**
 * Where the text after a video goes on. `largest`: after the largest position so far, as the published checkpoints
 * were trained and as transformers 4 does. `side`: after the longer side of a frame, as transformers 5 does. The two
 * differ only for videos that last longer than their frames are wide and high.
 */
export type VideoAdvance = 'largest' | 'side';

export interface MropeConfig {
  /** Side of the blocks of patches that make one token. */
  readonly mergeSize: number;
  /** Positions of a second of video; `null` where each moment takes one position, whatever its time. */
  readonly tokensPerSecond: number | null;
  readonly advance: VideoAdvance;
}

/**
 * M-RoPE (Wang et al. 2024): a position is a time, a row and a column. Text counts up all three together; the tokens
 * of a picture share the time and differ by row and column; those of a video differ by time as well.
 *
 * @throws InputError from `assign` if image or video tokens and layouts do not add up
 */
export const mropePositions =
  (config: MropeConfig): PositionsFactory =>
  ({ imageTokenId, videoTokenId }) => ({
    id: 'positions-mrope',
    config: { ...checkConfig(mropePart, config) },
    axes: 3,
    assign: assignBy(config, imageTokenId, videoTokenId),
  });

function assignBy(
  { mergeSize, tokensPerSecond, advance }: MropeConfig,
  imageTokenId: number,
  videoTokenId: number | undefined,
): PositionRule['assign'] {
  const kinds = new Map<number, VisualLayout['kind']>([
    [imageTokenId, 'image'],
    ...(videoTokenId === undefined ? [] : [[videoTokenId, 'video'] as const]),
  ]);
  const timeOf = (moment: number, { kind, interval = 1 }: VisualLayout): number =>
    kind === 'image' || tokensPerSecond === null
      ? moment
      : Math.trunc(Math.fround(moment * Math.fround(tokensPerSecond * interval)));

  return (ids, layouts) => {
    const axes: [number[], number[], number[]] = [[], [], []];
    const [times, rows, columns] = axes;
    let [current, largest, seen] = [0, -1, 0];
    const place = (time: number, row: number, column: number): void => {
      times.push(time);
      rows.push(row);
      columns.push(column);
      largest = Math.max(largest, time, row, column);
    };
    while (times.length < ids.length) {
      // Without pictures their tokens are words like others.
      const kind = layouts.length > 0 ? kinds.get(ids[times.length]!) : undefined;
      if (!kind) {
        place(current, current, current);
        current++;
        continue;
      }
      const layout = layouts[seen++];
      if (layout?.kind !== kind)
        throw new InputError({
          message: `The tokens ask for ${kind} ${seen - 1} at place ${times.length}, but ${layout ? `${layout.kind} was given` : `only ${layouts.length} were given`}.`,
          hint: 'Tokens and pictures must come from one run of the processor.',
        });
      const [height, width] = [layout.rows / mergeSize, layout.columns / mergeSize];
      for (let moment = 0; moment < layout.frames; moment++)
        for (let row = 0; row < height; row++)
          for (let column = 0; column < width; column++)
            place(current + timeOf(moment, layout), current + row, current + column);
      current = advance === 'largest' ? largest + 1 : current + Math.max(height, width);
    }
    if (times.length !== ids.length || seen !== layouts.length)
      throw new InputError({
        message:
          seen === layouts.length
            ? `The last picture needs ${times.length - ids.length} tokens more than there are.`
            : `${layouts.length} pictures were given, but the tokens have places for ${seen}.`,
        hint: 'Tokens and pictures must come from one run of the processor.',
      });
    return { axes, next: largest + 1 };
  };
}

export const mropePart: PartDefinition<'positions', MropeConfig> = {
  id: 'positions-mrope',
  kind: 'positions',
  create: (config) => mropePositions(checkConfig(mropePart, config)),
  fields: {
    mergeSize: 'count',
    tokensPerSecond: { nullable: 'positive' },
    advance: { oneOf: ['largest', 'side'] },
  },
  presets: {},
  source: {
    paper: 'https://arxiv.org/abs/2409.12191',
    code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/qwen2_vl/modeling_qwen2_vl.py',
  },
};
