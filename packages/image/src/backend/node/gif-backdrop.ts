import type { Rgb } from '../../raster.js';

/** Length in bytes of a colour table whose packed field is given; 0 when the flag for a table is not set. */
const tableLength = (packed: number): number => (packed & 0x80 ? 3 * 2 ** ((packed & 7) + 1) : 0);

/**
 * The palette colour that lies under the transparent pixels of a GIF's first frame. Pillow shows it when alpha is
 * dropped; sharp replaces it by black. Undefined when the bytes are not laid out as a GIF.
 *
 * @see GIF89a specification, sections 18 to 23
 */
export function gifBackdrop(bytes: Uint8Array): Rgb | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let table = 13;
  let colours = tableLength(bytes[10] ?? 0);
  let at = table + colours;
  let index = 0;
  while (at + 10 < bytes.length) {
    const block = view.getUint8(at);
    if (block === 0x2c) {
      const own = tableLength(view.getUint8(at + 9));
      if (own > 0) {
        table = at + 10;
        colours = own;
      }
      if (table + colours > bytes.length) return undefined;
      if (index * 3 >= colours) return [0, 0, 0];
      const from = table + index * 3;
      return [view.getUint8(from), view.getUint8(from + 1), view.getUint8(from + 2)];
    }
    if (block !== 0x21) return undefined;
    const isControl = view.getUint8(at + 1) === 0xf9;
    if (isControl && view.getUint8(at + 3) & 1) index = view.getUint8(at + 6);
    at += 2;
    while (at < bytes.length && view.getUint8(at) !== 0) at += view.getUint8(at) + 1;
    at += 1;
  }
  return undefined;
}
