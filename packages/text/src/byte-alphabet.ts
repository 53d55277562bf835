/**
 * The 256 printable characters that stand for the 256 bytes in byte-level vocabularies (GPT-2's table): printable
 * Latin-1 characters stand for themselves, the other bytes follow in order from U+0100.
 */
export function byteAlphabet(): string[] {
  const printable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let shifted = 0;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode(printable(byte) ? byte : 256 + shifted++),
  );
}
