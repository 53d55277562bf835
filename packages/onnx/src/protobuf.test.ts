import { describe, expect, it } from 'vitest';
import { MessageWriter } from './protobuf.js';

const bytes = (writer: MessageWriter) => [...writer.finish()];

describe('MessageWriter', () => {
  it('writes integers as varints, as the protobuf guide shows', () => {
    expect(bytes(new MessageWriter().int(1, 150))).toEqual([0x08, 0x96, 0x01]);
    expect(bytes(new MessageWriter().int(1, 0))).toEqual([0x08, 0x00]);
  });

  it('writes negative numbers in ten bytes, and large ones exactly', () => {
    expect(bytes(new MessageWriter().int(2, -1))).toEqual([
      0x10,
      ...Array.from({ length: 9 }, () => 0xff),
      0x01,
    ]);
    expect(bytes(new MessageWriter().int(1, 2n ** 53n))).toEqual([
      0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10,
    ]);
  });

  it('writes strings, messages and packed numbers with their length', () => {
    expect(bytes(new MessageWriter().string(2, 'testing'))).toEqual([
      0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67,
    ]);
    expect(bytes(new MessageWriter().string(1, 'é'))).toEqual([0x0a, 0x02, 0xc3, 0xa9]);
    expect(bytes(new MessageWriter().message(3, new MessageWriter().int(1, 150)))).toEqual([
      0x1a, 0x03, 0x08, 0x96, 0x01,
    ]);
    expect(bytes(new MessageWriter().ints(6, [3, 270, 86942]))).toEqual([
      0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05,
    ]);
  });

  it('writes floats in little-endian order, and field numbers above 15', () => {
    expect(bytes(new MessageWriter().float(2, 1))).toEqual([0x15, 0x00, 0x00, 0x80, 0x3f]);
    expect(bytes(new MessageWriter().int(20, 1))).toEqual([0xa0, 0x01, 0x01]);
  });

  it('grows with its content', () => {
    const data = Uint8Array.from({ length: 100_000 }, (_, i) => i % 251);
    const written = new MessageWriter().bytes(1, data).bytes(1, data).finish();
    expect(written).toHaveLength(2 * (1 + 3 + data.length));
    expect(written.subarray(written.length - data.length)).toEqual(data);
  });
});
