import { module, mul, repeat, slice, type Value } from '@weft/graph';
import {
  decoderFields,
  activation,
  assembleDecoder,
  decoderSection,
  linear,
  preNormLayer,
  readDecoderStack,
  rmsNorm,
  rotaryAttention,
  splitHeads,
  windowOf,
  type DecoderSectionConfig,
  type Mlp,
  type SelfAttention,
} from '@weft/nn';
import {
  checkConfig,
  configReader,
  resolvePreset,
  type Backbone,
  type DecoderContext,
  type Json,
  type PartDefinition,
  type Source,
  type TakeNotice,
} from '@weft/spec';

/** Phi 3: Llama's decoder with fused projections. */
export interface Phi3Config extends DecoderSectionConfig {
  readonly rmsNormEps: number;
}

/** Published sizes. */
export const phi3Presets = {
  'phi-3-mini-4k': {
    hiddenSize: 3072,
    intermediateSize: 8192,
    numHiddenLayers: 32,
    numAttentionHeads: 32,
    numKeyValueHeads: 32,
    headDim: 96,
    rotaryDim: 96,
    ropeTheta: 10000,
    vocabSize: 32064,
    slidingWindow: 2047,
    hiddenAct: 'silu',
    rmsNormEps: 1e-5,
    tieWordEmbeddings: false,
  },
} as const satisfies Record<string, Phi3Config>;

const source: Source = {
  paper: 'https://arxiv.org/abs/2404.14219',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/phi3/modeling_phi3.py',
};

/**
 * Phi 3's decoder: pre-norm, rotary positions, and one matrix each for queries, keys and values and for gate and up.
 *
 * @param config preset name or full configuration
 * @param changes fields that differ from the preset
 */
export function phi3(
  config: keyof typeof phi3Presets | Phi3Config,
  changes: Partial<Phi3Config> = {},
): Backbone {
  const c = checkConfig(phi3Part, {
    ...resolvePreset<Phi3Config>('backbone-phi3', phi3Presets, config),
    ...changes,
  });
  const norm = () => rmsNorm(c.hiddenSize, c.rmsNormEps);
  return assembleDecoder(c, {
    id: 'backbone-phi3',
    source,
    layers: repeat(c.numHiddenLayers, (i) =>
      preNormLayer({
        input_layernorm: norm(),
        self_attn: attention(c, i),
        post_attention_layernorm: norm(),
        mlp: fusedMlp(c),
      }),
    ),
    norm: norm(),
    normEps: c.rmsNormEps,
  });
}

/** The rows of the projection are queries, keys and values, in that order. */
function attention(c: Phi3Config, index: number): SelfAttention {
  const [querySize, keySize] = [c.numAttentionHeads * c.headDim, c.numKeyValueHeads * c.headDim];
  return module(
    'Attention',
    {
      qkv_proj: linear(c.hiddenSize, querySize + 2 * keySize, { bias: false }),
      o_proj: linear(querySize, c.hiddenSize, { bias: false }),
    },
    (m, x: Value, context: DecoderContext) => {
      const fused = m.qkv_proj(x);
      const heads = (start: number, count: number): Value =>
        splitHeads(slice(fused, 2, start, start + count * c.headDim), count);
      const q = heads(0, c.numAttentionHeads);
      const k = heads(querySize, c.numKeyValueHeads);
      const v = heads(querySize + keySize, c.numKeyValueHeads);
      return m.o_proj(rotaryAttention(q, k, v, context, windowOf(c, index)));
    },
  );
}

/** Gated MLP whose first matrix is the gate's rows over those of up. */
function fusedMlp({ hiddenSize, intermediateSize, hiddenAct }: Phi3Config): Mlp {
  const act = activation(hiddenAct);
  return module(
    'GatedMlp',
    {
      gate_up_proj: linear(hiddenSize, 2 * intermediateSize, { bias: false }),
      down_proj: linear(intermediateSize, hiddenSize, { bias: false }),
    },
    (m, x: Value) => {
      const fused = m.gate_up_proj(x);
      const [gate, up] = [
        slice(fused, -1, 0, intermediateSize),
        slice(fused, -1, intermediateSize, 2 * intermediateSize),
      ];
      return m.down_proj(mul(up, act(gate)));
    },
  );
}

/**
 * Reads the text section of a `config.json` of model type `phi3`.
 *
 * @throws ConfigError if a field is not of its type, or the positions are of a type that Phi 3 cannot have
 */
export function readPhi3Config(section: Json, notice?: TakeNotice): Phi3Config {
  const read = configReader(section, 'text_config');
  const window = read.raw('sliding_window');
  const stack = readDecoderStack(
    section,
    {
      hiddenSize: 3072,
      intermediateSize: 8192,
      numHiddenLayers: 32,
      numAttentionHeads: 32,
      vocabSize: 32064,
      hiddenAct: 'silu',
      maxPositionEmbeddings: 4096,
      originalMaxPositionEmbeddings: 4096,
      partialRotaryFactor: 1,
      roundsUp: true,
      ropeTypes: ['default', 'longrope'],
      ropeTypeNames: { su: 'longrope', yarn: 'longrope' },
    },
    notice,
  );
  const { ropeScaling } = stack;
  return {
    ...stack,
    ...(ropeScaling?.type === 'longrope' ? { ropeScaling: { ...ropeScaling, readsAnew: true } } : {}),
    rmsNormEps: read.number('rms_norm_eps', 1e-5),
    slidingWindow: typeof window === 'number' ? window : undefined,
  };
}

/** The text section of a `config.json`, or `undefined` if transformers' Phi 3 has no such layers. */
export function phi3Section(c: Phi3Config): Json | undefined {
  const stack = decoderSection(c, { turnsPart: true });
  const { ropeScaling } = c;
  if (!stack || c.layerTypes || (ropeScaling && ropeScaling.type !== 'longrope')) return undefined;
  return {
    model_type: 'phi3',
    ...stack,
    // The class has a length of its own, which counts before that of the section.
    ...(ropeScaling ? { original_max_position_embeddings: ropeScaling.originalMaxPositionEmbeddings } : {}),
    rms_norm_eps: c.rmsNormEps,
    sliding_window: c.slidingWindow ?? null,
  };
}

/** Phi 3's decoder, by its name. */
export const phi3Part: PartDefinition<'backbone', Phi3Config> = {
  id: 'backbone-phi3',
  kind: 'backbone',
  create: (config) => phi3(config),
  fields: {
    ...decoderFields,
    rmsNormEps: 'positive',
  },
  presets: phi3Presets,
  source,
  types: ['phi3'],
  read: readPhi3Config,
  write: phi3Section,
};
