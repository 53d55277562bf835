export { decodeImage, type DecodeOptions } from './decode.js';
export { encodeJpeg, encodePng } from './encode.js';
export { centerCrop, crop, pad, padToSquare, type Box, type Padding, type Size } from './geometry.js';
export { toPixelValues, writePixelValues, type PixelValuesOptions } from './normalize.js';
export { raster, type Raster, type Rgb } from './raster.js';
export { resize, type ResizeFilter, type ResizeOptions } from './resize.js';
export { roundHalfEven } from './round.js';
export { type ImageSource } from './source.js';
