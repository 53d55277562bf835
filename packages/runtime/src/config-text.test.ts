import { expect, it } from 'vitest';
import { configText } from './config-text.js';

it('writes whole numbers of float fields as floats, at every depth, and leaves everything else', () => {
  const config = {
    hidden_size: 20,
    scale_factor: 4,
    layer_norm_eps: 1e-5,
    clip_qkv: null,
    text_config: {
      initializer_factor: 1,
      rope_parameters: { rope_theta: 10000, factor: 8.5 },
      note: 'a\n  "factor": 1',
    },
    attention_dropout: 0,
  };
  const text = configText(config);
  expect(JSON.parse(text)).toEqual(config);
  expect(text.match(/"\w+": -?\d+\.0\b/g)).toEqual([
    '"initializer_factor": 1.0',
    '"rope_theta": 10000.0',
    '"attention_dropout": 0.0',
  ]);
});
