import { join } from 'node:path';
import { openSafetensors } from '@weft/weights';
import { expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { load } from './load.js';

it('joins the embeddings of a picture that the encoder takes tile by tile', async () => {
  const folder = fixture('aria-split');
  const golden = await openSafetensors(join(folder, 'golden.safetensors'));
  const wanted = await golden.readFloat32('image_features');
  await golden.close();
  const model = await load(folder, { worker: false });
  const names = ['image-0.png', 'image-1.png'];
  const images = await model.encodeImages(names.map((name) => join(folder, name)));
  await model.close();
  // Each picture has four tiles, which alike take a quarter of its rows.
  expect(images.map((rows) => rows.length)).toEqual([wanted.length / 2, wanted.length / 2]);
  const seen = images.flatMap((rows) => [...rows]);
  const differences = seen.map((value, i) => Math.abs(value - wanted[i]!));
  expect(Math.max(...differences)).toBeLessThan(1e-5);
});
