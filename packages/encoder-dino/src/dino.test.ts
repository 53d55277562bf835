import { readFile } from 'node:fs/promises';
import { namedParameters, slice, trace } from '@weft/graph';
import {
  interpret,
  randomParameters,
  randomTensor,
  testDefinition,
  testVisionEncoder,
  type Golden,
} from '@weft/testing';
import type { Json, VisionEncoder } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { dino, dinoPart, dinoPresets, readDinoConfig, type DinoConfig, type DinoOptions } from './dino.js';

const fixture = (name: string) => new URL(`./__fixtures__/${name}`, import.meta.url);

const tiny: DinoConfig = {
  ...dinoPresets['v2-small'],
  hiddenSize: 6,
  mlpRatio: 2,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  imageSize: 11,
  patchSize: 3,
};
const tinyGiant: DinoConfig = {
  ...tiny,
  useSwigluFfn: true,
  qkvBias: false,
  numRegisterTokens: 2,
  antialias: true,
};

/** States side by side at the size of the position table, and last states at a smaller and a larger size. */
function goldenOf(name: string): Golden<VisionEncoder>[] {
  const file = fixture(name);
  const make = (options: DinoOptions) => (config: Json) =>
    dino(readDinoConfig(config), { classToken: 'keep', ...options });
  const states: Golden<VisionEncoder> = {
    file,
    model: make({ featureLayers: [0, 1, 2, -1] }),
    outputs: (encoder, inputs) => {
      const joined = encoder.encode({ pixel_values: inputs['pixel_values_same']! }).hiddenStates;
      const size = encoder.hiddenSize / 4;
      return Object.fromEntries(
        [0, 1, 2, 3].map((i) => [`hidden_states.${i}`, slice(joined, 2, i * size, (i + 1) * size)]),
      );
    },
  };
  const sizes = Object.entries({ same: 27, smaller: 19, larger: 38 });
  const last = sizes.map(([size, inputSize]): Golden<VisionEncoder> => ({
    file,
    model: make({ inputSize, postNorm: true }),
    outputs: (encoder, inputs) => ({
      [`last_hidden_state_${size}`]: encoder.encode({ pixel_values: inputs[`pixel_values_${size}`]! })
        .hiddenStates,
    }),
  }));
  return [states, ...last];
}

const size = (name: keyof typeof dinoPresets, parameters: number, tensors: number) => ({
  name,
  create: () => dino(name),
  parameters,
  tensors,
});

const mask_token = 'it stands in checkpoints, and stood for hidden patches in training';
const layernorm = 'it stands in checkpoints, and norms what is read of DINOv2 alone';
const withChanges =
  (changes: Partial<DinoConfig>, options: DinoOptions = {}) =>
  () =>
    dino({ ...tiny, ...changes }, { featureLayers: [1, -1], ...options });

testVisionEncoder({
  tiny: withChanges({}),
  unread: { mask_token, layernorm },
  variants: {
    'the last layer': () => dino(tiny),
    'its class token': withChanges({}, { classToken: 'keep' }),
    'its last norm': withChanges({}, { postNorm: true }),
    'smaller pictures': withChanges({}, { inputSize: 7 }),
    'smaller pictures, smoothed': withChanges({ antialias: true }, { inputSize: 7 }),
    'larger pictures, smoothed': withChanges({ antialias: true }, { inputSize: 16 }),
    registers: withChanges({ numRegisterTokens: 3 }),
    'no mask token': withChanges({ useMaskToken: false }),
    'a gate': withChanges({ useSwigluFfn: true }),
    'no biases of q, k and v': withChanges({ qkvBias: false }),
    'another activation': withChanges({ hiddenAct: 'quick_gelu' }),
    'larger norms': withChanges({ layerNormEps: 1e-2 }),
  },
  create: () => dino('v2-small'),
  checkpoint: fixture('dinov2-small.header.json'),
  golden: [...goldenOf('dino.safetensors'), ...goldenOf('dino-swiglu.safetensors')],
  sizes: [
    size('v2-small', 22_056_576, 223),
    size('v2-base', 86_580_480, 223),
    size('v2-large', 304_368_640, 439),
    size('v2-giant', 1_136_480_768, 727),
    size('v2-with-registers-small', 22_058_112, 224),
    size('v2-with-registers-base', 86_583_552, 224),
    size('v2-with-registers-large', 304_372_736, 440),
    size('v2-with-registers-giant', 1_136_486_912, 728),
  ],
});

describe('dino with registers, at a smaller size, after its last norm', () => {
  testVisionEncoder({
    tiny: () => dino(tinyGiant, { inputSize: 7, postNorm: true, classToken: 'keep' }),
    unread: { mask_token },
    create: () => dino('v2-with-registers-giant'),
    checkpoint: fixture('dinov2-with-registers-giant.header.json'),
    golden: goldenOf('dino-registers.safetensors'),
  });
});

const run = (encoder: VisionEncoder, side: number) =>
  interpret(
    trace(encoder, encoder.inputs, (inputs) => ({ y: encoder.encode(inputs).hiddenStates })),
    { pixel_values: randomTensor([1, 3, side, side], 5) },
    randomParameters(encoder, 4),
  )['y']!;

describe('dino', () => {
  it('drops registers always, and the class token unless it is kept', () => {
    const [kept, dropped] = (['keep', 'drop'] as const).map((classToken) =>
      run(dino(tinyGiant, { classToken }), 11),
    );
    expect([kept!.shape, dropped!.shape]).toEqual([
      [1, 10, 6],
      [1, 9, 6],
    ]);
    expect(kept!.data.slice(6)).toEqual(dropped!.data);
  });

  it('takes the table as it is where as many patches fit, and reads no pixel beyond the last whole patch', () => {
    const graphOf = (encoder: VisionEncoder) =>
      trace(encoder, encoder.inputs, (inputs) => ({ y: encoder.encode(inputs).hiddenStates }));
    const shapes = [graphOf(dino(tiny)), graphOf(dino(tiny, { inputSize: 10 }))].map(
      ({ outputs }) => outputs['y']!.shape,
    );
    expect(shapes).toEqual([
      ['tiles', 9, 6],
      ['tiles', 9, 6],
    ]);
    expect(dino('v2-large', { inputSize: 336 }).grid).toEqual([24, 24]);
    expect(
      namedParameters(dino('v2-large', { inputSize: 336 })).get('embeddings.position_embeddings')?.shape,
    ).toEqual([1, 1370, 1024]);
  });

  it('names the presets it has', () => {
    const message = `encoder-dino has no preset 'v2-huge'.\n  It has: ${Object.keys(dinoPresets).join(', ')}.`;
    expect(() => dino('v2-huge' as never)).toThrow(message);
  });
});

describe('the config of a checkpoint', () => {
  it('has the defaults of the class of its model_type', async () => {
    const classes = JSON.parse(await readFile(fixture('defaults.json'), 'utf8')) as Record<string, Json>;
    expect(Object.keys(classes)).toEqual(dinoPart.types);
    for (const [model_type, written] of Object.entries(classes))
      expect(readDinoConfig({ model_type })).toEqual(readDinoConfig({ ...written, model_type }));
    expect(readDinoConfig({})).toEqual(readDinoConfig({ model_type: 'dinov2' }));
  });

  it('takes sides written as pairs, and names the field that is wrong', () => {
    expect(readDinoConfig({ image_size: [518, 518], patch_size: [14, 14] })).toMatchObject({
      imageSize: 518,
      patchSize: 14,
    });
    expect(() => readDinoConfig({ image_size: [518, 224] })).toThrow(
      /vision_config\.image_size is \[518,224\], expected a number/,
    );
    expect(() => readDinoConfig({ model_type: 'dinov3_vit' })).toThrow(
      /vision_config\.model_type is "dinov3_vit", expected "dinov2" or "dinov2_with_registers"/,
    );
  });
});

testDefinition(dinoPart, {
  configs: [
    tiny,
    { ...tiny, useMaskToken: false, featureLayers: [-1], classToken: 'drop', postNorm: false, inputSize: 11 },
    tinyGiant,
  ],
  unwritable: [
    { ...tiny, antialias: true, useMaskToken: false },
    { ...tiny, numRegisterTokens: 1 },
    { ...tiny, featureLayers: [-2] },
    { ...tiny, classToken: 'keep' },
    { ...tiny, postNorm: true },
    { ...tiny, inputSize: 16 },
  ],
});
