import type { Random } from './random.js';
import type { Raster } from './raster.js';

/** What an 8-bit array turns into the nearest step from 0 to 255. */
const toByte = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value + 0.5);

/** Adds normal noise of this standard deviation (in steps of 255) to every value, in place. */
export const addNoise = (picture: Raster, deviation: number, random: Random): void => {
  const { data } = picture;
  // One table read from many places instead of a normal number per value: noise is most of the work otherwise.
  const table = Float32Array.from({ length: 509 }, () => random.normal() * deviation);
  let at = 0;
  for (let i = 0; i < data.length; i++) {
    if (i % 64 === 0) at = random.integer(0, table.length - 1);
    data[i] = toByte(data[i]! + table[at]!);
    if (++at === table.length) at = 0;
  }
};

/** A 3×3 binomial-like blur; `amount` is the weight of each direct neighbour in one direction, `0` to `0.25`. */
export const blur = (picture: Raster, amount: number): void => {
  const { width, height, data } = picture;
  const along = (length: number, lines: number, step: number, lineStep: number): void => {
    const row = new Float32Array(length);
    for (let line = 0; line < lines; line++) {
      for (let channel = 0; channel < 3; channel++) {
        const start = line * lineStep + channel;
        for (let i = 0; i < length; i++) row[i] = data[start + i * step]!;
        for (let i = 0; i < length; i++) {
          const before = row[i > 0 ? i - 1 : 0]!;
          const after = row[i < length - 1 ? i + 1 : i]!;
          data[start + i * step] = row[i]! * (1 - 2 * amount) + (before + after) * amount + 0.5;
        }
      }
    }
  };
  along(width, height, 3, width * 3);
  along(height, width, width * 3, 3);
};

/** Quantisation tables of ITU-T T.81, annex K, rows of the 8×8 block one after the other. */
const luminance = [
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22,
  29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103,
  121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];
const chrominance = [
  17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99,
  99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
];

/** The table at a quality from 1 to 100, as libjpeg scales it. */
const scaleTable = (table: readonly number[], quality: number): Float32Array => {
  const percent = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  return Float32Array.from(table, (value) =>
    Math.min(255, Math.max(1, Math.floor((value * percent + 50) / 100))),
  );
};

/** The 8×8 cosine matrix, or its transpose. */
const cosines = (transposed: boolean): Float32Array =>
  Float32Array.from({ length: 64 }, (_, i) => {
    const [k, n] = transposed ? [i & 7, i >> 3] : [i >> 3, i & 7];
    return (k === 0 ? Math.SQRT1_2 : 1) * 0.5 * Math.cos(((2 * n + 1) * k * Math.PI) / 16);
  });

/** Multiplies each row of the block by the matrix and transposes: twice makes the two-dimensional transform. */
const transform = (block: Float32Array, matrix: Float32Array, out: Float32Array): void => {
  for (let row = 0; row < 8; row++) {
    const i = row * 8;
    const [a, b, c, d] = [block[i]!, block[i + 1]!, block[i + 2]!, block[i + 3]!];
    const [e, f, g, h] = [block[i + 4]!, block[i + 5]!, block[i + 6]!, block[i + 7]!];
    for (let k = 0; k < 64; k += 8) {
      out[k + row] =
        a * matrix[k]! +
        b * matrix[k + 1]! +
        c * matrix[k + 2]! +
        d * matrix[k + 3]! +
        e * matrix[k + 4]! +
        f * matrix[k + 5]! +
        g * matrix[k + 6]! +
        h * matrix[k + 7]!;
    }
  }
};

/** Quantises every 8×8 block of a plane in the cosine domain, in place. The last row and column fill broken blocks. */
const quantisePlane = (plane: Float32Array, width: number, height: number, table: Float32Array): void => {
  const forward = cosines(false);
  const backward = cosines(true);
  const block = new Float32Array(64);
  const half = new Float32Array(64);
  for (let top = 0; top < height; top += 8) {
    for (let left = 0; left < width; left += 8) {
      const first = plane[top * width + left]!;
      const [lastX, lastY] = [width - 1 - left, height - 1 - top];
      let flat = true;
      for (let y = 0; y < 8; y++) {
        const line = (top + Math.min(y, lastY)) * width + left;
        for (let x = 0; x < 8; x++) {
          const value = plane[line + Math.min(x, lastX)]!;
          flat &&= value === first;
          block[y * 8 + x] = value;
        }
      }
      if (flat) {
        // A block of one value has only its mean: most blocks of these pictures.
        const step = table[0]! / 8;
        block.fill(Math.round(first / step) * step);
      } else {
        transform(block, forward, half);
        transform(half, forward, block);
        for (let i = 0; i < 64; i++) block[i] = Math.round(block[i]! / table[i]!) * table[i]!;
        transform(block, backward, half);
        transform(half, backward, block);
      }
      for (let y = 0; y < 8 && y <= lastY; y++) {
        const line = (top + y) * width + left;
        for (let x = 0; x < 8 && x <= lastX; x++) plane[line + x] = block[y * 8 + x]!;
      }
    }
  }
};

/**
 * What JPEG does to a picture, in place: YCbCr, chroma halved in both directions or kept, blocks of 8×8 quantised in
 * the cosine domain.
 *
 * @param quality - 1 to 100 as in libjpeg.
 * @param subsample - Whether chroma has half the resolution (4:2:0).
 */
export const addJpegArtefacts = (picture: Raster, quality: number, subsample: boolean): void => {
  const { width, height, data } = picture;
  const light = new Float32Array(width * height);
  const shift = subsample ? 1 : 0;
  const [columns, rows] = [(width + shift) >> shift, (height + shift) >> shift];
  const blue = new Float32Array(columns * rows);
  const red = new Float32Array(columns * rows);
  const hits = new Uint8Array(columns * rows);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const r = data[i * 3]!;
      const g = data[i * 3 + 1]!;
      const b = data[i * 3 + 2]!;
      light[i] = 0.299 * r + 0.587 * g + 0.114 * b - 128;
      const j = (y >> shift) * columns + (x >> shift);
      blue[j] = blue[j]! - 0.168736 * r - 0.331264 * g + 0.5 * b;
      red[j] = red[j]! + 0.5 * r - 0.418688 * g - 0.081312 * b;
      hits[j] = hits[j]! + 1;
    }
  }
  for (let j = 0; j < hits.length; j++) {
    blue[j] = blue[j]! / hits[j]!;
    red[j] = red[j]! / hits[j]!;
  }
  const chroma = scaleTable(chrominance, quality);
  quantisePlane(light, width, height, scaleTable(luminance, quality));
  quantisePlane(blue, columns, rows, chroma);
  quantisePlane(red, columns, rows, chroma);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const j = (y >> shift) * columns + (x >> shift);
      const level = light[i]! + 128;
      data[i * 3] = toByte(level + 1.402 * red[j]!);
      data[i * 3 + 1] = toByte(level - 0.344136 * blue[j]! - 0.714136 * red[j]!);
      data[i * 3 + 2] = toByte(level + 1.772 * blue[j]!);
    }
  }
};

/** How wide a picture is drawn, pixels: mostly near the model's input, now and then up to 512. */
export const randomCanvas = (random: Random): number => {
  const [low, high] = random.pick([
    [64, 64],
    [64, 128],
    [64, 128],
    [96, 160],
    [128, 224],
    [224, random.chance(0.4) ? 512 : 288],
  ] as const);
  return Math.round(low * (high / low) ** random.next());
};

/** Wears a picture the way pictures are worn on their way: blur, noise and JPEG, each mild and each only sometimes. */
export const wear = (picture: Raster, random: Random): void => {
  if (random.chance(0.2)) blur(picture, random.between(0.02, 0.2));
  if (random.chance(0.4)) addNoise(picture, random.between(1, 8), random);
  if (random.chance(0.35)) addJpegArtefacts(picture, random.between(40, 95), random.chance(0.6));
};
