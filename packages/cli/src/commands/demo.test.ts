import { describe, expect, it } from 'vitest';
import { weft } from '../../test/weft.js';

describe('weft demo', () => {
  it('answers three questions about a picture with the embedded model, and says how to go on', async () => {
    const { code, stdout, stderr } = await weft(['demo']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('examples/assets/shapes.png');
    expect(stdout.match(/^Question \S.*\nAnswer {3}\S.*\n {9}64 image tokens/gm)).toHaveLength(3);
    expect(stdout).toContain('ask examples/assets/shapes.png');
  });
});
