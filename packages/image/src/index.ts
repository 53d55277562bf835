export { decodeImage, encodeJpeg, encodePng } from '#backend';
export type { DecodeOptions } from './decode-options.js';
export { drawMarks, type Mark } from './draw.js';
export {
  centerBox,
  centerCrop,
  crop,
  pad,
  padToSquare,
  squareBorder,
  type Box,
  type Padding,
  type Size,
} from './geometry.js';
export { toPixelValues, writePixelValues, type PixelValuesOptions } from './normalize.js';
export { raster, type Raster, type Rgb } from './raster.js';
export { resize, type ResizeOptions } from './resize.js';
export { resizeFloat } from './resize-float.js';
export { roundHalfEven } from './round.js';
export { type ImageSource } from './source.js';
export type { ResizeFilter } from './windows.js';
