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
    vision_config: { layerscale_value: 1, layer_scale_init_value: 1, patch_size: 14 },
    rope_scaling: { beta_fast: 32, short_factor: [1, 1.05, 2], sizes: [1, 2] },
  };
  const text = configText(config);
  expect(JSON.parse(text)).toEqual(config);
  expect(text.match(/"\w+": -?\d+\.0\b/g)).toEqual([
    '"initializer_factor": 1.0',
    '"rope_theta": 10000.0',
    '"attention_dropout": 0.0',
    '"layerscale_value": 1.0',
    '"layer_scale_init_value": 1.0',
    '"beta_fast": 32.0',
  ]);
  expect(text.match(/"short_factor": \[[^\]]*\]/)![0].replace(/\s/g, '')).toBe(
    '"short_factor":[1.0,1.05,2.0]',
  );
  expect(text.match(/"sizes": \[[^\]]*\]/)![0].replace(/\s/g, '')).toBe('"sizes":[1,2]');
});
