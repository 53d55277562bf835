import { setDigits, type Contour } from './digits.js';
import { ink, palette, paper } from './raster.js';
import type { Scene } from './scene.js';

/** A scene as SVG, for painters other than `paint`. */
export function sceneToSvg(scene: Scene, size: number): string {
  const color = ([r, g, b]: readonly number[]) => `rgb(${r},${g},${b})`;
  const path = (contours: readonly Contour[], scale: number, x: number, y: number) =>
    contours
      .map((contour) => {
        const points: string[] = [];
        for (let i = 0; i < contour.length; i += 2)
          points.push(`${(contour[i]! * scale + x).toFixed(3)} ${(contour[i + 1]! * scale + y).toFixed(3)}`);
        return `M${points.join('L')}Z`;
      })
      .join('');
  const shapes = scene.objects.map(({ shape, color: name, cx, cy, radius, outline }) =>
    shape === 'circle'
      ? `<circle cx="${cx * size}" cy="${cy * size}" r="${radius * size}" fill="${color(palette[name])}"/>`
      : `<path d="${path([outline], size, 0, 0)}" fill="${color(palette[name])}"/>`,
  );
  if (scene.number) {
    const { text, font, x, y, height } = scene.number;
    shapes.push(
      `<path d="${path(setDigits(text, font).contours, height * size, x * size, y * size)}" fill="${color(ink)}"/>`,
    );
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}"><rect width="100%" height="100%" fill="${color(paper[scene.background])}"/>${shapes.join('')}</svg>`;
}
