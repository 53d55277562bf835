import { UnsupportedError, WeightError } from '@weft/errors';
import { toFloat32 } from '@weft/weights';

/** How numbers of a GGUF tensor lie in blocks. */
interface GgufType {
  readonly name: string;
  /** Numbers of a block. */
  readonly size: number;
  /** Bytes of a block. */
  readonly bytes: number;
  readonly read: (block: BlockReader, values: Float32Array, at: number) => void;
}

/** One block: its bytes, and the floats of 16 bits among them. */
class BlockReader {
  #start = 0;

  constructor(
    private readonly data: Uint8Array,
    private readonly halves: Float32Array,
  ) {}

  moveTo(start: number): void {
    this.#start = start;
  }

  byte(at: number): number {
    return this.data[this.#start + at]!;
  }

  signed(at: number): number {
    return (this.byte(at) << 24) >> 24;
  }

  /** The float16 at an even place. */
  half(at: number): number {
    return this.halves[(this.#start + at) >> 1]!;
  }

  word(at: number): number {
    return this.byte(at) | (this.byte(at + 1) << 8) | (this.byte(at + 2) << 16) | (this.byte(at + 3) << 24);
  }
}

/** 32 numbers: the low halves of 16 bytes, then the high halves; a fifth bit of each may lie apart. */
const small =
  (hasLeast: boolean, hasFifth: boolean): GgufType['read'] =>
  (block, values, at) => {
    const scale = block.half(0);
    const least = hasLeast ? block.half(2) : 0;
    const head = hasLeast ? 4 : 2;
    const fifth = hasFifth ? block.word(head) : 0;
    const numbers = head + (hasFifth ? 4 : 0);
    const zero = hasLeast ? 0 : hasFifth ? 16 : 8;
    for (let i = 0; i < 16; i++) {
      const byte = block.byte(numbers + i);
      const low = (byte & 15) | (((fifth >>> i) & 1) << 4);
      const high = (byte >> 4) | (((fifth >>> (i + 16)) & 1) << 4);
      // Without a least number a zero keeps its sign.
      const [first, second] = [Math.fround(scale * (low - zero)), Math.fround(scale * (high - zero))];
      values[at + i] = hasLeast ? first + least : first;
      values[at + i + 16] = hasLeast ? second + least : second;
    }
  };

/** Scale and least number of one of eight groups of 32, 6 bits each, as Q4_K and Q5_K pack them from byte 4 on. */
function packedPair(block: BlockReader, group: number): readonly [scale: number, least: number] {
  const at = 4 + group;
  if (group < 4) return [block.byte(at) & 63, block.byte(at + 4) & 63];
  return [
    (block.byte(at + 4) & 15) | ((block.byte(at - 4) >> 6) << 4),
    (block.byte(at + 4) >> 4) | ((block.byte(at) >> 6) << 4),
  ];
}

/** 256 numbers of 4 bits, or 5 with their highest in 32 bytes more. */
const superBlock =
  (hasFifth: boolean): GgufType['read'] =>
  (block, values, at) => {
    const [scale, least] = [block.half(0), block.half(2)];
    const numbers = hasFifth ? 48 : 16;
    for (let group = 0; group < 8; group++) {
      const [ownScale, ownLeast] = packedPair(block, group);
      const d = Math.fround(scale * ownScale);
      const m = Math.fround(least * ownLeast);
      for (let i = 0; i < 32; i++) {
        const byte = block.byte(numbers + (group >> 1) * 32 + i);
        const low = group % 2 === 0 ? byte & 15 : byte >> 4;
        const fifth = hasFifth ? ((block.byte(16 + i) >> group) & 1) << 4 : 0;
        values[at + group * 32 + i] = Math.fround(d * (low | fifth)) - m;
      }
    }
  };

const q2k: GgufType['read'] = (block, values, at) => {
  const [scale, least] = [block.half(80), block.half(82)];
  for (let group = 0; group < 16; group++) {
    const pair = block.byte(group);
    const d = Math.fround(scale * (pair & 15));
    const m = Math.fround(least * (pair >> 4));
    const [half, shift] = [group >> 3, 2 * ((group >> 1) & 3)];
    for (let i = 0; i < 16; i++) {
      const number = (block.byte(16 + half * 32 + (group % 2) * 16 + i) >> shift) & 3;
      values[at + group * 16 + i] = Math.fround(d * number) - m;
    }
  }
};

/** 6 bits of one of the 16 scales of Q3_K, whose 12 bytes begin at 96. */
function scaleOf3(block: BlockReader, group: number): number {
  const low = group < 8 ? block.byte(96 + group) & 15 : block.byte(96 + group - 8) >> 4;
  const high = (block.byte(104 + (group & 3)) >> (2 * (group >> 2))) & 3;
  return (low | (high << 4)) - 32;
}

const q3k: GgufType['read'] = (block, values, at) => {
  const scale = block.half(108);
  for (let group = 0; group < 16; group++) {
    const d = Math.fround(scale * scaleOf3(block, group));
    const [half, pair] = [group >> 3, (group >> 1) & 3];
    for (let i = 0; i < 16; i++) {
      const place = (group % 2) * 16 + i;
      const low = (block.byte(32 + half * 32 + place) >> (2 * pair)) & 3;
      const isHigh = (block.byte(place) >> (half * 4 + pair)) & 1;
      values[at + group * 16 + i] = d * (low - (isHigh ? 0 : 4));
    }
  }
};

const q6k: GgufType['read'] = (block, values, at) => {
  const scale = block.half(208);
  for (let i = 0; i < 256; i++) {
    const [half, quarter, place] = [i >> 7, (i >> 5) & 3, i & 31];
    const byte = block.byte(half * 64 + (quarter & 1) * 32 + place);
    const low = quarter < 2 ? byte & 15 : byte >> 4;
    const high = (block.byte(128 + half * 32 + place) >> (2 * quarter)) & 3;
    const d = Math.fround(scale * block.signed(192 + (i >> 4)));
    values[at + i] = d * ((low | (high << 4)) - 32);
  }
};

const q8: GgufType['read'] = (block, values, at) => {
  const scale = block.half(0);
  for (let i = 0; i < 32; i++) values[at + i] = scale * block.signed(2 + i);
};

/** By the number that GGUF files give them. */
const types: ReadonlyMap<number, GgufType> = new Map([
  [2, { name: 'Q4_0', size: 32, bytes: 18, read: small(false, false) }],
  [3, { name: 'Q4_1', size: 32, bytes: 20, read: small(true, false) }],
  [6, { name: 'Q5_0', size: 32, bytes: 22, read: small(false, true) }],
  [7, { name: 'Q5_1', size: 32, bytes: 24, read: small(true, true) }],
  [8, { name: 'Q8_0', size: 32, bytes: 34, read: q8 }],
  [10, { name: 'Q2_K', size: 256, bytes: 84, read: q2k }],
  [11, { name: 'Q3_K', size: 256, bytes: 110, read: q3k }],
  [12, { name: 'Q4_K', size: 256, bytes: 144, read: superBlock(false) }],
  [13, { name: 'Q5_K', size: 256, bytes: 176, read: superBlock(true) }],
  [14, { name: 'Q6_K', size: 256, bytes: 210, read: q6k }],
]);

/** Types whose numbers lie one by one. */
const plain = new Map([
  [0, { name: 'F32', dtype: 'F32', bytes: 4 }],
  [1, { name: 'F16', dtype: 'F16', bytes: 2 }],
  [30, { name: 'BF16', dtype: 'BF16', bytes: 2 }],
] as const);

/** Numbers and bytes of a block of a GGUF type: 1 and its size where numbers lie one by one. @throws UnsupportedError for other types */
export function ggufBlock(type: number): {
  readonly name: string;
  readonly size: number;
  readonly bytes: number;
} {
  const block = types.get(type);
  if (block) return block;
  const one = plain.get(type as 0);
  if (one) return { name: one.name, size: 1, bytes: one.bytes };
  throw new UnsupportedError({
    message: `Tensors of the GGUF type ${type} are not read.`,
    hint: `Types that are read: ${[...[...plain.values()], ...types.values()].map(({ name }) => name).join(', ')}.`,
  });
}

/**
 * The numbers of blocks of a GGUF tensor, in the float32 arithmetic of gguf-py 0.19 (`gguf.quants.dequantize`).
 *
 * @param data whole blocks
 * @throws UnsupportedError for types that are not read
 * @throws WeightError if the bytes are not whole blocks
 */
export function dequantizeGguf(data: Uint8Array, type: number): Float32Array {
  const { name, size, bytes } = ggufBlock(type);
  if (data.byteLength % bytes !== 0)
    throw new WeightError({
      message: `${data.byteLength} bytes are not whole blocks of ${name}, which have ${bytes} bytes.`,
    });
  const one = plain.get(type as 0);
  if (one) return toFloat32(data, one.dtype);
  const count = data.byteLength / bytes;
  const values = new Float32Array(count * size);
  // All types have an even number of bytes, and their float16 at even places.
  const block = new BlockReader(data, toFloat32(data, 'F16'));
  const { read } = types.get(type)!;
  for (let i = 0; i < count; i++) {
    block.moveTo(i * bytes);
    read(block, values, i * size);
  }
  return values;
}
