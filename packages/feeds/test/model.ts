import { module } from '@weft/graph';
import type { Model, PositionRule, VisualLayout } from '@weft/spec';

/** Ids of the tokens of pictures and videos. */
export const [imageId, videoId] = [90, 91];

const size = ({ rows, columns, frames }: VisualLayout): number => frames * rows * columns;

/** A model as far as feeds looks at it: its senses, and what its parts say of themselves. */
export function modelWith({
  grid = null,
  hasArranger = false,
  hasVideo = true,
  zeroViews,
  patchSize = 1,
  positions,
}: {
  readonly grid?: readonly [number, number] | null;
  readonly hasArranger?: boolean;
  readonly hasVideo?: boolean;
  readonly zeroViews?: 'padding';
  readonly patchSize?: number;
  readonly positions?: PositionRule;
} = {}): Model {
  const facts = <F extends object>(kind: string, own: F) => module(kind, {}, {}, { facts: () => own });
  const types = { pixel_values: { dtype: 'float32', shape: ['tiles', 3, 2, 2] } };
  const parts = {
    encoder: facts('Encoder', { id: 'encoder', grid, pixels: { patchSize }, inputs: types }),
    connector: facts('Connector', {
      id: 'connector',
      countTokens: ([rows, columns]: readonly [number, number]) => rows * columns,
    }),
    ...(hasArranger
      ? {
          arranger: facts('Arranger', {
            id: 'arranger',
            inputs: {},
            prepare: (given: Readonly<Record<string, unknown>>) =>
              given['pixel_values'] ? { pixel_values: given['pixel_values'], row_index: 'rows' } : undefined,
          }),
        }
      : {}),
  };
  const places = {
    encoder: 'encoder',
    connector: 'connector',
    ...(hasArranger ? { arranger: 'arranger' } : {}),
  };
  const senses = [
    { kind: 'image', placeholder: '<image>', tokenId: imageId, processor: { zeroViews }, ...places },
    ...(hasVideo ? [{ kind: 'video', placeholder: '<video>', tokenId: videoId, ...places }] : []),
  ];
  return { name: 'fed', module: module('Model', parts, {}), senses, positions } as unknown as Model;
}

/** Text counts on; each token of a picture has the picture's number of tokens as its second axis. */
export const twoAxes: PositionRule = {
  id: 'positions-two-axes',
  config: {},
  axes: 2,
  assign: (ids, layouts) => {
    const sizes = layouts.flatMap((layout) => Array.from({ length: size(layout) }, () => size(layout)));
    let seen = 0;
    const second = ids.map((id) => (id >= imageId ? sizes[seen++]! : 0));
    return { axes: [ids.map((_, i) => i), second], next: ids.length + 5 };
  },
};

export const layout = (kind: 'image' | 'video', rows: number, columns: number, frames = 1): VisualLayout => ({
  kind,
  rows,
  columns,
  frames,
});
