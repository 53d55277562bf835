export { decodeImage } from './decode.js';
export { encodeJpeg, encodePng } from './encode.js';
