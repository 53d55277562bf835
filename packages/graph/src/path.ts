let path = '';

/** Path of the module whose code runs now; empty outside of modules. */
export const currentPath = (): string => path;

/** Runs `body` with nodes named after `next`; restores the old path, also after an error. */
export function withPath<T>(next: string, body: () => T): T {
  const previous = path;
  path = next;
  try {
    return body();
  } finally {
    path = previous;
  }
}

/** Joins path segments with dots, leaving out empty ones. */
export const joinPath = (...segments: readonly string[]): string =>
  segments.filter((s) => s !== '').join('.');
