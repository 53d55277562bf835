import { describe, expect, it } from 'vitest';
import { NoticeList } from './index.js';

describe('a list of notices', () => {
  it('holds each once, in the order in which they came', () => {
    const list = new NoticeList();
    const watermark = { where: 'generation_config.json: watermarking_config', message: 'It is not applied.' };
    const head = { where: 'lm_head.weight', message: 'It is kept.' };
    for (const notice of [watermark, head, { ...watermark }]) list.take(notice);
    expect(list.all).toEqual([watermark, head]);
  });

  it('keeps two of one place apart', () => {
    const list = new NoticeList();
    list.take({ where: 'config.json', message: 'One.' });
    list.take({ where: 'config.json', message: 'Two.' });
    expect(list.all.map(({ message }) => message)).toEqual(['One.', 'Two.']);
  });
});
