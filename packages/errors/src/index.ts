import { WeftError, type ErrorParts } from './weft-error.js';

export { WeftError, isWeftError, type ErrorParts } from './weft-error.js';
export { FileError, fileError, reasonOf, withFileErrors } from './file-error.js';
export { deepestJson, parseJson, shown } from './json-text.js';
export { NoticeList, type Notice, type TakeNotice } from './notice.js';
export { printable, printableJson, printableLine } from './printable.js';

/** A tensor has another shape or type than an operation or a contract needs. */
export class ShapeError extends WeftError {
  constructor(parts: ErrorParts | string) {
    super('WEFT_SHAPE', parts);
  }
}

/** Weights are missing, unexpected, of another shape, or their file is damaged. */
export class WeightError extends WeftError {
  constructor(parts: ErrorParts | string) {
    super('WEFT_WEIGHT', parts);
  }
}

/** A configuration is unknown, incomplete or contradicts itself. */
export class ConfigError extends WeftError {
  constructor(parts: ErrorParts | string) {
    super('WEFT_CONFIG', parts);
  }
}

/** An image, a text or another input of a run cannot be used. */
export class InputError extends WeftError {
  constructor(parts: ErrorParts | string) {
    super('WEFT_INPUT', parts);
  }
}

/** Something valid that this target, device or version cannot do. */
export class UnsupportedError extends WeftError {
  constructor(parts: ErrorParts | string) {
    super('WEFT_UNSUPPORTED', parts);
  }
}

/** ONNX Runtime refused a graph or failed in a run. */
export class SessionError extends WeftError {
  constructor(parts: ErrorParts | string) {
    super('WEFT_SESSION', parts);
  }
}
