import { ShapeError } from '@weft/errors';
import { currentPath } from './path.js';

/** Refuses values that an operation cannot take. @throws ShapeError that names the module whose code runs */
export function fail(message: string, hint?: string): never {
  throw new ShapeError({ message, where: currentPath() || undefined, hint });
}
