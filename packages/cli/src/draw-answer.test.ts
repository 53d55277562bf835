import { copyFile, link, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeImage, encodeJpeg, encodePng, raster, type Raster } from '@weft/image';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture, weft } from '../test/weft.js';
import { checkDrawing, drawAnswer, drawingText } from './draw-answer.js';
import { UsageError } from './failure.js';

let folder: string;
let picture: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weft-draw-'));
  picture = join(folder, 'picture.png');
  await writeFile(picture, await encodePng(raster(600, 400, new Uint8Array(600 * 400 * 3).fill(200))));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const draw = (answer: string, image = picture, file = join(folder, 'out.png')) =>
  drawAnswer(answer, image, file, new AbortController().signal);

const pixel = ({ width, data }: Raster, x: number, y: number): number[] => [
  ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
];
const [orange, blue] = [
  [213, 94, 0],
  [0, 114, 178],
];

/** A JPEG file with an EXIF orientation, as phones write them. */
async function turnedJpeg(upright: Raster, orientation: number): Promise<Buffer> {
  const jpeg = Buffer.from(await encodeJpeg(upright, 100));
  const tag = [0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0];
  const tiff = [...Buffer.from('II'), 42, 0, 8, 0, 0, 0, 1, 0, ...tag, 0, 0, 0, 0];
  const exif = [...Buffer.from('Exif\0\0', 'latin1'), ...tiff];
  const segment = Buffer.from([0xff, 0xe1, 0, exif.length + 2, ...exif]);
  return Buffer.concat([jpeg.subarray(0, 2), segment, jpeg.subarray(2)]);
}

describe('drawAnswer', () => {
  it('draws boxes and points where the answer has them', async () => {
    const { places, refused } = await draw('<box>10 25 50 75</box> a dog and <point>80 50</point> its ball');
    expect(places).toEqual([
      { kind: 'box', label: 'dog', x1: 60, y1: 100, x2: 300, y2: 300 },
      { kind: 'point', label: 'its ball', x: 480, y: 200 },
    ]);
    expect(refused).toEqual([]);
    const drawn = await decodeImage(join(folder, 'out.png'));
    expect([drawn.width, drawn.height]).toEqual([600, 400]);
    expect(pixel(drawn, 60, 200)).toEqual(orange);
    expect(pixel(drawn, 300, 200)).toEqual(orange);
    expect(pixel(drawn, 480, 200)).toEqual(blue);
    expect(pixel(drawn, 180, 200)).toEqual([200, 200, 200]);
  });

  it("draws Molmo's points, several of one tag too", async () => {
    const answer =
      'A <point x="80.0" y="50" alt="ball">ball</point>, <points x1="10" y1="25.5" x2="50" y2="101" alt="cat">cat</points>';
    const { places } = await draw(answer);
    expect(places).toEqual([
      { kind: 'point', label: 'ball', x: 480, y: 200 },
      { kind: 'point', label: 'cat', x: 60, y: 102 },
    ]);
  });

  it('turns pictures upright by their EXIF orientation, as the model sees them', async () => {
    const [image, file] = [join(folder, 'phone.jpg'), join(folder, 'phone.png')];
    await writeFile(image, await turnedJpeg(raster(600, 400, new Uint8Array(600 * 400 * 3).fill(90)), 6));
    const { places } = await draw('the cat <500,100,900,300>', image, file);
    expect(places).toEqual([{ kind: 'box', label: 'cat', x1: 200, y1: 60, x2: 360, y2: 180 }]);
    const drawn = await decodeImage(file);
    expect([drawn.width, drawn.height]).toEqual([400, 600]);
    expect(pixel(drawn, 200, 120)).toEqual(orange);
    expect(pixel(drawn, 360, 120)).toEqual(orange);
    // The file itself has no orientation that would turn it once more.
    expect((await readFile(file)).includes('eXIf')).toBe(false);
  });

  it('enlarges small pictures, and says places in pixels of the picture that was given', async () => {
    const [image, file] = [join(folder, 'small.png'), join(folder, 'small-out.png')];
    await writeFile(image, await encodePng(raster(100, 50)));
    const { places } = await draw('<box>0 0 50 100</box> left', image, file);
    expect(places).toEqual([{ kind: 'box', label: 'left', x1: 0, y1: 0, x2: 50, y2: 50 }]);
    const { width, height } = await decodeImage(file);
    expect([width, height]).toEqual([500, 250]);
  });

  it('writes nothing where there is nothing to draw, and leaves no temporary file', async () => {
    const file = join(folder, 'nothing.png');
    const drawing = await draw('two stars <box>9 2 3 4</box> <1,2,3>', picture, file);
    expect(drawing.places).toEqual([]);
    expect(await readdir(folder)).not.toContain('nothing.png');
    expect(drawingText(drawing, file)).toBe(
      'The answer names no place; nothing is drawn.\nNot drawn: <box>9 2 3 4</box> encloses nothing.\nNot drawn: <1,2,3> is not well-formed.',
    );
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('counts what it drew', async () => {
    const drawing = await draw('<box>1 1 9 9</box> a <box>2 2 9 9</box> b <point>5 5</point> c');
    expect(drawingText(drawing, 'out.png')).toBe('2 boxes and 1 point drawn in out.png');
  });
});

describe('checkDrawing', () => {
  const refused = async (images: readonly string[], file: string, message: RegExp) => {
    await expect(checkDrawing(images, file)).rejects.toThrow(UsageError);
    await expect(checkDrawing(images, file)).rejects.toThrow(message);
  };

  it('refuses to overwrite the picture, by whatever name', async () => {
    const [soft, hard] = [join(folder, 'soft.png'), join(folder, 'hard.png')];
    await symlink(picture, soft);
    await link(picture, hard);
    for (const file of [picture, join(folder, '.', 'picture.png'), soft, hard])
      await refused([picture], file, /would overwrite the picture/);
  });

  it('refuses what it could not write, before anything is asked', async () => {
    await mkdir(join(folder, 'folder.png'));
    await refused([], 'out.png', /one picture to draw on, found 0/);
    await refused([picture, picture], 'out.png', /one picture to draw on, found 2/);
    await refused([picture], join(folder, 'out.jpg'), /writes PNG, but the file is/);
    await refused([picture], join(folder, 'missing', 'out.png'), /There is no folder/);
    await refused([picture], join(folder, 'folder.png'), /is a folder/);
  });

  it('takes other files, also those that exist', async () => {
    await copyFile(picture, join(folder, 'old.PNG'));
    await expect(checkDrawing([picture], join(folder, 'old.PNG'))).resolves.toBeUndefined();
    await expect(checkDrawing(['missing.png'], join(folder, 'new.png'))).resolves.toBeUndefined();
  });
});

describe('weft ask --draw', () => {
  const shapes = join(import.meta.dirname, '../../../examples/assets/shapes.png');

  it("draws the embedded model's box, and keeps the answer alone on standard output", async () => {
    const file = join(folder, 'star.png');
    const { code, stdout, stderr } = await weft([
      'ask',
      shapes,
      'Where is the star?',
      '--draw',
      file,
      '--json',
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: `1 box drawn in ${file}\n` });
    const { answer, places } = JSON.parse(stdout) as { answer: string; places: { kind: string }[] };
    expect(answer).toMatch(/^<box>[\d ]+<\/box>$/);
    expect(places).toMatchObject([{ kind: 'box', label: '' }]);
    expect(await decodeImage(file)).toMatchObject({ width: 768, height: 768 });
  });

  it('ends with code 1 for an answer without a place, and with code 2 before it would overwrite', async () => {
    const model = fixture('llava-siglip-qwen2');
    const image = join(folder, 'image.png');
    await copyFile(join(model, 'image-0.png'), image);
    const asked = ['ask', image, 'What is it?', '--model', model, '--max-tokens', '4', '--draw'];
    const none = await weft([...asked, join(folder, 'none.png')]);
    expect(none.code).toBe(1);
    expect(none.stderr).toBe('The answer names no place; nothing is drawn.\n');
    const before = await readFile(image);
    const same = await weft([...asked, image]);
    expect({ code: same.code, stdout: same.stdout }).toEqual({ code: 2, stdout: '' });
    expect(same.stderr).toMatch(/would overwrite the picture/);
    expect((await readFile(image)).equals(before)).toBe(true);
  });
});
