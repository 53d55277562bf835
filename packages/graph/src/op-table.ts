import type { Dim, Shape } from './dim.js';
import type { Parameter } from './parameter.js';
import type { DType, TensorType } from './tensor-type.js';

type None = Readonly<Record<never, never>>;

/** Arrays that hold the elements of a constant. */
export type TypedArray =
  | Float32Array
  | Float64Array
  | Uint16Array
  | BigInt64Array
  | Int32Array
  | Uint8Array
  | Int8Array;

/** Data of a constant: row-major, bool as bytes, float16 as bit patterns. */
export interface TensorData {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TypedArray;
}

/** Operations that targets emit one by one. They follow the ONNX operators of the same name. */
export interface PrimitiveAttributes {
  Input: { readonly name: string };
  Parameter: { readonly path: string; readonly parameter: Parameter };
  Constant: TensorData;
  /** The integers `0, 1, …, size - 1`. */
  Iota: { readonly size: Dim };
  /** A symbolic size as a scalar. */
  DimSize: { readonly size: Dim };
  Add: None;
  Sub: None;
  Mul: None;
  Div: None;
  Pow: None;
  Maximum: None;
  Minimum: None;
  Neg: None;
  Exp: None;
  Log: None;
  Sqrt: None;
  Reciprocal: None;
  Tanh: None;
  Sigmoid: None;
  Erf: None;
  Relu: None;
  Sin: None;
  Cos: None;
  Floor: None;
  Not: None;
  Equal: None;
  Less: None;
  LessOrEqual: None;
  And: None;
  Or: None;
  Where: None;
  Cast: { readonly to: DType };
  /** Batched product of the last two axes, each side transposed on request, times `alpha`. */
  MatMul: { readonly transposeA: boolean; readonly transposeB: boolean; readonly alpha: number };
  Reshape: { readonly shape: Shape };
  Transpose: { readonly permutation: readonly number[] };
  Expand: { readonly shape: Shape };
  Concat: { readonly axis: number };
  Slice: { readonly axis: number; readonly start: Dim; readonly end: Dim };
  /** Zeros before and after along one axis. */
  Pad: { readonly axis: number; readonly before: Dim; readonly after: Dim };
  ReduceSum: { readonly axes: readonly number[]; readonly keepDims: boolean };
  ReduceMean: { readonly axes: readonly number[]; readonly keepDims: boolean };
  ReduceMax: { readonly axes: readonly number[]; readonly keepDims: boolean };
  CumSum: { readonly axis: number };
  Gather: { readonly axis: number };
  /** Rows of the first axis replaced by, or increased by, the updates; equal indices add up in `add` mode. */
  ScatterRows: { readonly mode: 'replace' | 'add' };
  TopK: { readonly k: number };
  /** Any ONNX operator. It has no gradient. */
  Onnx: {
    readonly type: string;
    readonly domain: string;
    readonly attributes: Readonly<Record<string, OnnxAttribute>>;
    readonly outputs: readonly TensorType[];
  };
}

/** Attribute of an ONNX node: a whole number, a text, a float, or a list of whole numbers. */
export type OnnxAttribute = number | string | { readonly float: number } | readonly number[];

/** Operations that name one idea of the field. Each has a reference decomposition into primitives. */
export interface SemanticAttributes {
  /** `x W^T + b`: x `[…, in]`, weight `[out, in]`, bias `[out]`. */
  Linear: None;
  /** Each row of x `[M, in]` times the matrix of its own group, the mathematics of experts; groups int64 `[M]`. */
  GroupedLinear: { readonly layout: MatrixLayout };
  /** Rows of a table `[V, D]` picked by ids `[…]`. */
  Embedding: None;
  RmsNorm: { readonly eps: number };
  LayerNorm: { readonly eps: number };
  /**
   * Rotary embedding: x `[B, L, N, H]`, cos and sin `[B, L, R/2]`, R ≤ H. Channel `j` turns with `j + R/2`, or, when
   * interleaved, channel `2j` with `2j + 1`.
   */
  Rope: { readonly interleaved: boolean };
  Attention: AttentionAttributes;
  /** Causal or full attention to the tokens of a cache and to new ones, of which a mask says which count. */
  CachedAttention: CachedAttentionAttributes;
  /** Attention to keys and values that were computed before and lie in a cache, all of them seen. */
  HeldAttention: { readonly scale: number; readonly layout: CacheLayout };
  /** Convolution whose stride is its kernel: pixels `[T, C, height, width]` to `[T, P, D]`, P row-major. */
  PatchEmbed: { readonly patchSize: number };
  /** Convolution over rows and columns: x `[T, C, height, width]`, weight `[O, C / groups, kh, kw]`, bias `[O]`. */
  Conv: ConvAttributes;
  Gelu: { readonly approximation: 'none' | 'tanh' };
  QuickGelu: None;
  Silu: None;
  Relu2: None;
  /** Over the last axis. */
  Softmax: None;
  /** Logits `[M, V]`, targets int64 `[M]` to losses `[M]`; 0 where the target is -100. */
  CrossEntropy: None;
  /** Hidden states `[B, L, D]` whose rows at flat positions `[N]` are replaced by, or increased by, rows `[N, D]`. */
  PlaceAtToken: { readonly mode: 'replace' | 'add' };
}

/** How a convolution steps over a picture. */
export interface ConvAttributes {
  /** Step of the kernel along rows and columns. */
  readonly strides: readonly [rows: number, columns: number];
  /** Zeros around the picture. */
  readonly padding: readonly [top: number, left: number, bottom: number, right: number];
  /** Channels are cut into this many groups, each with kernels of its own; as many as channels: a depthwise convolution. */
  readonly groups: number;
}

/** Order of a weight's axes: `out-in` as linear layers store it, or transposed. */
export type MatrixLayout = 'out-in' | 'in-out';

/** What attention means, besides its inputs. */
export interface AttentionAttributes {
  /** `causal`: a query sees keys at and before its own position. */
  readonly mask: 'none' | 'causal';
  /**
   * What the mathematics promises about keys and values. `append`: those of earlier tokens never change;
   * `hold`: they do not depend on the text; `none`: nothing. Targets decide what to do with it.
   */
  readonly cache: 'none' | 'append' | 'hold';
  /** Factor on the scores, usually `1 / sqrt(headDim)`. */
  readonly scale: number;
  /** Sliding window: keys at a distance of `window` or more are not seen. */
  readonly window?: number;
}

/**
 * Axes of keys and values in a cache: `time-major` `[S, B, K, H]`, where a new token is one contiguous write, or
 * `head-major` `[B, K, S, H]`, as fused operators of accelerators read them.
 */
export type CacheLayout = 'time-major' | 'head-major';

export interface CachedAttentionAttributes {
  /** `causal`: a new token sees the cache, and of the new tokens those at and before its own position. */
  readonly mask: 'none' | 'causal';
  /** Factor on the scores. */
  readonly scale: number;
  /** Sliding window: keys at a distance of `window` or more are not seen. */
  readonly window?: number;
  readonly layout: CacheLayout;
}

/** Names of the operations that targets emit one by one. */
export type PrimitiveOp = keyof PrimitiveAttributes;
/** Names of the operations that have a reference. */
export type SemanticOp = keyof SemanticAttributes;
/** Names of all operations. */
export type Op = PrimitiveOp | SemanticOp;
/** Attributes of one operation. */
export type Attributes<O extends Op = Op> = O extends PrimitiveOp
  ? PrimitiveAttributes[O]
  : O extends SemanticOp
    ? SemanticAttributes[O]
    : never;
