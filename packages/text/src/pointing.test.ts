import { describe, expect, it } from 'vitest';
import { findPlaces } from './coordinates.js';
import { findPointings, writePointing } from './pointing.js';

describe('findPointings', () => {
  it('finds one point, in shares of the picture or in its pixels', () => {
    const answer = ' <point x="63.5" y="44.5" alt="the star">star</point>';
    expect(findPointings(answer)).toEqual([
      { start: 1, end: answer.length, points: [{ x: 0.635, y: 0.445 }], label: 'star', alt: 'the star' },
    ]);
    expect(findPointings(answer, { size: { width: 200, height: 1000 } })[0]!.points).toEqual([
      { x: 127, y: 445 },
    ]);
  });

  it('finds several points in the order of their numbers', () => {
    const answer =
      'Counting the <points x10="90" y10="1" x2=" 20.5 " y2="30" x1="10.0" y1="20.0" alt="cats">cats</points> shows a total of 3.';
    expect(findPointings(answer)).toMatchObject([
      {
        points: [
          { x: 0.1, y: 0.2 },
          { x: 0.205, y: 0.3 },
          { x: 0.9, y: 0.01 },
        ],
        label: 'cats',
      },
    ]);
  });

  it('leaves out what lies beyond the picture, lacks its other half or is not a number', () => {
    const answer = '<points x1="101" y1="5" x2="7" x3="8" y3="n" x4="100" y4="0" alt="a > b">it</points>';
    expect(findPointings(answer)[0]).toMatchObject({ points: [{ x: 1, y: 0 }], alt: 'a > b' });
    expect(
      findPointings('<point x="200" y="1" alt="">x</point>, There are none. <point>3 4</point>'),
    ).toEqual([]);
  });

  it('takes a tag whose end is still to come, and its alt for the missing words', () => {
    expect(findPointings('<point x="1" y="2" alt="dog">do')).toMatchObject([{ label: 'dog', end: 29 }]);
    expect(findPointings('<point x="1" y="2" alt="do')).toEqual([]);
  });

  it('is quick on hostile text', () => {
    const started = performance.now();
    findPointings('<points x1="1" '.repeat(20000));
    findPointings(`<points${' x1="1"'.repeat(20000)}`);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it('finds other places than findPlaces does', () => {
    expect(findPlaces('<point x="1" y="2" alt="a">a</point>').filter(({ result }) => result.place)).toEqual(
      [],
    );
    expect(findPointings('<box>1 2 3 4</box><point>5 6</point><1,2>')).toEqual([]);
  });
});

describe('writePointing', () => {
  it('writes one point and several as Molmo does, from left to right', () => {
    expect(writePointing([{ x: 0.635, y: 0.445 }], 'star')).toBe(
      '<point x="63.5" y="44.5" alt="star">star</point>',
    );
    const points = [
      { x: 320, y: 10 },
      { x: 64, y: 240 },
      { x: 64, y: 24 },
    ];
    expect(writePointing(points, 'cats', { size: { width: 640, height: 480 }, alt: 'two cats' })).toBe(
      '<points x1="10.0" y1="5.0" x2="10.0" y2="50.0" x3="50.0" y3="2.1" alt="two cats">cats</points>',
    );
  });

  it('is read back by findPointings, to a tenth of a hundredth', () => {
    for (let i = 1; i < 60; i++) {
      const point = { x: Math.abs(Math.sin(i)), y: Math.abs(Math.cos(3 * i)) };
      const [found] = findPointings(writePointing([point], 'it'))[0]!.points;
      expect(Math.abs(found!.x - point.x)).toBeLessThanOrEqual(0.00051);
      expect(Math.abs(found!.y - point.y)).toBeLessThanOrEqual(0.00051);
    }
  });
});
