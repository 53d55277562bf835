import { openFolder, readEntry, type OpenFolder } from '@weft/runtime';
import { toFloat32, wholeTensor } from '@weft/weights';

export { openFolder, type OpenFolder };

/**
 * All weights of a model as float32, by the paths of its parameters.
 *
 * @param report is told the share that was read, 0 to 1
 */
export async function readWeights(
  { entries }: OpenFolder,
  report: (share: number) => void,
): Promise<Map<string, Float32Array>> {
  const weights = new Map<string, Float32Array>();
  for (const [path, stored] of entries) {
    const entry = wholeTensor(stored);
    weights.set(path, toFloat32(await readEntry(entry), entry.dtype));
    report(weights.size / entries.size);
  }
  return weights;
}
