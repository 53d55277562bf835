// What one needs to load, compose, verify, save and train. Parts are in `weft-vlm/parts`; each other package has a path of
// its own, such as `weft-vlm/graph`.
export * from '@weft/errors';
export * from '@weft/models';
export * from '@weft/runtime';
export * from '@weft/spec';
export { tinyFolder } from '@weft/tiny';
export * from '@weft/train';
