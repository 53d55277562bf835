import { existsSync, readFileSync } from 'node:fs';
import { senseOf, type Json } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { modelOf } from './recipes.js';

/** The model of a fixture. Its processor is configured in a file of its own, or in that of all processors. */
async function fixture(name: string) {
  const path = (file: string) => new URL(`../__fixtures__/${name}/${file}.json`, import.meta.url);
  const read = (file: string) => JSON.parse(readFileSync(path(file), 'utf8')) as Json;
  const preprocessor = existsSync(path('preprocessor_config'))
    ? read('preprocessor_config')
    : (read('processor_config')['image_processor'] as Json);
  return await modelOf(read('config'), { preprocessor });
}

/** A picture that grows red from left to right and green from above to below. */
function gradient([width, height]: readonly [number, number]) {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    data[3 * i] = (255 * (i % width)) / (width - 1);
    data[3 * i + 1] = (255 * Math.floor(i / width)) / (height - 1);
  }
  return { width, height, channels: 3 as const, data };
}

/** Where the values of a channel lie between the smallest and the largest, in steps. */
function steps(values: readonly number[], count: number): number[] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return values.map((value) => Math.round(((value - least) / (most - least)) * (count - 1)));
}

interface Case {
  readonly name: string;
  readonly size: readonly [width: number, height: number];
  readonly grid: readonly [rows: number, columns: number];
  /** Where the view of the whole picture stands among the tiles. */
  readonly whole: 'first' | 'last' | 'none';
}

const cases: readonly Case[] = [
  { name: 'llava-next-two', size: [60, 60], grid: [2, 2], whole: 'first' },
  { name: 'llava-onevision-two', size: [90, 60], grid: [2, 3], whole: 'first' },
  { name: 'llava-onevision-two', size: [60, 90], grid: [3, 2], whole: 'first' },
  { name: 'aria-split', size: [60, 60], grid: [2, 2], whole: 'none' },
  { name: 'mllama-apart', size: [60, 60], grid: [2, 2], whole: 'none' },
  { name: 'internvl-two', size: [60, 60], grid: [2, 2], whole: 'last' },
  { name: 'internvl-large', size: [60, 60], grid: [2, 2], whole: 'last' },
  { name: 'molmo-portrait', size: [60, 60], grid: [2, 2], whole: 'first' },
  { name: 'molmoe-odd', size: [60, 60], grid: [2, 2], whole: 'first' },
  { name: 'mm1.5-two', size: [60, 60], grid: [2, 2], whole: 'last' },
  { name: 'nvlm-d', size: [90, 60], grid: [2, 3], whole: 'last' },
  { name: 'nvlm-d', size: [60, 90], grid: [3, 2], whole: 'last' },
  { name: 'nvlm-x', size: [90, 60], grid: [2, 3], whole: 'last' },
  { name: 'nvlm-h', size: [90, 60], grid: [2, 3], whole: 'last' },
  { name: 'idefics3-split', size: [60, 60], grid: [2, 2], whole: 'last' },
  { name: 'smolvlm-many', size: [60, 60], grid: [2, 2], whole: 'last' },
];

describe('the tiles of a picture', () => {
  it.each(cases)('of $name stand row by row in a grid of $grid', async ({ name, size, grid, whole }) => {
    const sight = senseOf(await fixture(name), 'image');
    const { shape, data } = sight!.processor.process([gradient(size)]).inputs['pixel_values']!;
    const area = shape.at(-1)! * shape.at(-2)!;
    const means = Array.from({ length: data.length / area }, (_, i) =>
      (data.subarray(i * area, (i + 1) * area) as Float32Array).reduce((sum, value) => sum + value / area, 0),
    );
    const [rows, columns] = grid;
    const start = whole === 'first' ? 1 : 0;
    expect(means).toHaveLength(3 * (rows * columns + (whole === 'none' ? 0 : 1)));
    const ofChannel = (channel: number): number[] =>
      Array.from({ length: rows * columns }, (_, tile) => means[3 * (start + tile) + channel]!);
    const [across, down] = [steps(ofChannel(0), columns), steps(ofChannel(1), rows)];
    expect(down.map((row, i) => [row, across[i]])).toEqual(
      Array.from({ length: rows * columns }, (_, i) => [Math.floor(i / columns), i % columns]),
    );
  });
});
