/** Levels of values within values that a file of a checkpoint may have: a deeper value could not be written in a message. */
export const mostJsonLevels = 200;

/** Whether data has values within values on more levels than files may have. It does not call itself, however deep. */
export function isNestedDeeper(value: unknown, most: number = mostJsonLevels): boolean {
  let level: readonly unknown[] = [value];
  for (let depth = 0; depth <= most; depth++) {
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []));
    if (level.length === 0) return false;
  }
  return true;
}
