// Draws the pictures of examples/assets from the world of the embedded model: `node tools/draw-assets.mjs`.
// Each is the first scene in order of seeds that shows what its name says, so the pictures can be drawn again.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { encodePng } from '../packages/image/dist/index.js';
import { paint, Random, randomScene } from '../packages/tiny/dist/index.js';

const folder = new URL('../examples/assets/', import.meta.url);
const count = (scene, shape) => scene.objects.filter((object) => object.shape === shape).length;
const isVaried = (scene) => new Set(scene.objects.map(({ color }) => color)).size === scene.objects.length;

const pictures = [
  {
    name: 'shapes.png',
    size: 384,
    wanted: (scene) =>
      !scene.number &&
      scene.background === 'ivory' &&
      scene.objects.length === 4 &&
      count(scene, 'star') === 1 &&
      count(scene, 'circle') === 2 &&
      isVaried(scene),
  },
  {
    name: 'numbers.png',
    size: 320,
    wanted: (scene) =>
      scene.number?.text.length === 3 &&
      scene.background === 'white' &&
      scene.objects.length === 2 &&
      isVaried(scene),
  },
  {
    name: 'two-stars.png',
    size: 400,
    wanted: (scene) =>
      !scene.number &&
      scene.background === 'night' &&
      scene.objects.length === 3 &&
      count(scene, 'star') === 2 &&
      isVaried(scene),
  },
];

mkdirSync(folder, { recursive: true });
for (const { name, size, wanted } of pictures) {
  let seed = 0;
  let scene;
  do scene = randomScene(new Random(++seed));
  while (!wanted(scene));
  writeFileSync(new URL(name, folder), await encodePng(paint(scene, size)));
  const objects = scene.objects.map((object) => `${object.size} ${object.color} ${object.shape}`);
  console.log(
    `${fileURLToPath(new URL(name, folder))}: ${[...objects, ...(scene.number ? [scene.number.text] : [])].join(', ')} (seed ${seed})`,
  );
}
