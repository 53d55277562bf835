// Written by tools/catalog.mjs from the recipes in packages/models/src/recipes: do not edit.
import type { RecipeEntry } from './recipe.js';

/** All recipes by name; one is imported when a `config.json` or a published size asks for it. */
export const recipeCatalog: readonly RecipeEntry[] = [
  {
    name: 'aria',
    types: ['aria'],
    presets: ['aria'],
    packages: ['@weft/connector-resampler', '@weft/encoder-siglip', '@weft/fusion-unified'],
    load: () => import('./recipes/aria.js').then((m) => m.ariaRecipe),
  },
  {
    name: 'fuyu',
    types: ['fuyu'],
    presets: ['fuyu-8b'],
    packages: ['@weft/connector-linear', '@weft/encoder-patch', '@weft/fusion-unified'],
    load: () => import('./recipes/fuyu.js').then((m) => m.fuyuRecipe),
  },
  {
    name: 'idefics3',
    types: ['idefics3', 'smolvlm'],
    presets: ['smolvlm-256m', 'smolvlm-500m'],
    packages: ['@weft/connector-pixel-shuffle', '@weft/encoder-siglip', '@weft/fusion-unified'],
    load: () => import('./recipes/idefics3.js').then((m) => m.idefics3Recipe),
  },
  {
    name: 'internvl',
    types: ['internvl', 'internvl_chat'],
    presets: ['internvl2.5-1b', 'internvl2.5-4b', 'internvl2.5-8b', 'internvl2.5-38b', 'internvl3-8b'],
    packages: ['@weft/connector-pixel-shuffle', '@weft/encoder-intern-vit', '@weft/fusion-unified'],
    load: () => import('./recipes/internvl.js').then((m) => m.internvlRecipe),
  },
  {
    name: 'janus',
    types: ['janus', 'multi_modality'],
    presets: ['janus-1.3b', 'janus-pro-1b', 'janus-pro-7b'],
    packages: ['@weft/connector-mlp', '@weft/encoder-siglip', '@weft/fusion-unified'],
    load: () => import('./recipes/janus.js').then((m) => m.janusRecipe),
  },
  {
    name: 'llava-next',
    types: ['llava_next', 'llava_onevision'],
    presets: ['llava-1.6-mistral-7b', 'llava-onevision-0.5b', 'llava-onevision-7b'],
    packages: ['@weft/connector-anyres', '@weft/connector-mlp', '@weft/fusion-unified'],
    load: () => import('./recipes/llava-next.js').then((m) => m.llavaNextRecipe),
  },
  {
    name: 'llava',
    types: ['llava'],
    presets: ['llava-1.5-7b', 'llava-1.5-13b'],
    packages: ['@weft/connector-mlp', '@weft/fusion-unified'],
    load: () => import('./recipes/llava.js').then((m) => m.llavaRecipe),
  },
  {
    name: 'mllama',
    types: ['mllama'],
    presets: ['llama-3.2-11b-vision', 'llama-3.2-90b-vision'],
    packages: [
      '@weft/backbone-llama',
      '@weft/connector-linear',
      '@weft/encoder-mllama',
      '@weft/fusion-cross-attention',
    ],
    load: () => import('./recipes/mllama.js').then((m) => m.mllamaRecipe),
  },
  {
    name: 'mm15',
    types: ['mm1_5'],
    presets: ['mm1.5-1b', 'mm1.5-3b', 'mm1.5-7b', 'mm1.5-30b', 'mm1.5-1b-moe', 'mm1.5-3b-moe'],
    packages: [
      '@weft/backbone-llama',
      '@weft/connector-c-abstractor',
      '@weft/encoder-clip',
      '@weft/fusion-unified',
    ],
    load: () => import('./recipes/mm15.js').then((m) => m.mm15Recipe),
  },
  {
    name: 'molmo',
    types: ['molmo'],
    presets: ['molmo-7b-d', 'molmo-7b-o', 'molmo-72b', 'molmoe-1b'],
    packages: ['@weft/connector-attention-pool', '@weft/encoder-clip', '@weft/fusion-unified'],
    load: () => import('./recipes/molmo.js').then((m) => m.molmoRecipe),
  },
  {
    name: 'nvlm',
    types: ['NVLM_D', 'nvlm_x', 'nvlm_h'],
    presets: ['nvlm-d-72b', 'nvlm-x-72b', 'nvlm-h-72b', 'nvlm-x-34b', 'nvlm-h-34b'],
    packages: ['@weft/connector-pixel-shuffle', '@weft/encoder-intern-vit'],
    load: () => import('./recipes/nvlm.js').then((m) => m.nvlmRecipe),
  },
  {
    name: 'pixtral',
    types: ['pixtral_native'],
    presets: ['pixtral-12b'],
    packages: ['@weft/connector-mlp', '@weft/encoder-pixtral', '@weft/fusion-unified'],
    load: () => import('./recipes/pixtral.js').then((m) => m.pixtralRecipe),
  },
  {
    name: 'qwen2-vl',
    types: ['qwen2_vl', 'qwen2_5_vl'],
    presets: ['qwen2-vl-2b', 'qwen2-vl-7b', 'qwen2-vl-72b', 'qwen2.5-vl-3b', 'qwen2.5-vl-7b'],
    packages: [
      '@weft/connector-patch-merger',
      '@weft/encoder-qwen2-vl',
      '@weft/fusion-unified',
      '@weft/positions-mrope',
    ],
    load: () => import('./recipes/qwen2-vl.js').then((m) => m.qwen2VlRecipe),
  },
  {
    name: 'weft',
    types: ['weft'],
    presets: [],
    packages: [],
    load: () => import('./recipes/weft.js').then((m) => m.weftRecipe),
  },
];
