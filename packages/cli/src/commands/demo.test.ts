import { describe, expect, it } from 'vitest';
import { weft } from '../../test/weft.js';

describe('weft demo', () => {
  it('answers three questions about a picture with the embedded model, and says how to go on', async () => {
    const { code, stdout, stderr } = await weft(['demo']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('examples/assets/shapes.png');
    const answers = [...stdout.matchAll(/^Question \S.*\nAnswer {3}(\S.*)\n {9}64 image tokens/gm)];
    expect(answers.map(([, answer]) => answer)).toEqual([
      '4',
      'green',
      'a small orange circle, a large yellow square, a small purple circle, and a small green star',
    ]);
    expect(stdout).toContain('ask examples/assets/shapes.png');
  });
});
