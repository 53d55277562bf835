import {
  add,
  conv,
  linear,
  module,
  mul,
  Parameter,
  reduceMean,
  reshape,
  sigmoid,
  silu,
  transpose,
  type AnyModule,
  type Value,
} from '@weft/graph';
import { layerNorm } from '@weft/nn';

/** `[T, rows, columns, C]` to the same rows and columns, other channels. */
export type Block = AnyModule & ((x: Value) => Value);

/** Eps of the norms that timm makes from `LayerNorm2d` for its blocks; that class itself has 1e-6. */
const normEps = 1e-5;

/** Channels of the squeezed picture: a quarter, halves rounded to even as Python does. */
export function squeezedSize(inSize: number): number {
  const [quarter, floor] = [inSize / 4, Math.floor(inSize / 4)];
  return quarter - floor === 0.5 ? floor + (floor % 2) : Math.round(quarter);
}

/**
 * Stage of RegNet blocks, under timm's names `b1`, `b2` and so on.
 *
 * @param depth blocks; the first of them changes the number of channels
 */
export function regStage(depth: number, inSize: number, outSize: number): Block {
  const blocks = Array.from(
    { length: depth },
    (_, i) => [`b${i + 1}`, bottleneck(i === 0 ? inSize : outSize, outSize)] as const,
  );
  return module('RegStage', Object.fromEntries(blocks), (m, x: Value) =>
    Object.values(m).reduce((h, block) => block(h), x),
  );
}

/** RegNet block with one group for each channel, squeeze and excitation, and channel norms. */
const bottleneck = (inSize: number, outSize: number): Block =>
  module(
    'Bottleneck',
    {
      conv1: { conv: pointConv(inSize, outSize, { bias: false }), bn: layerNorm(outSize, normEps) },
      conv2: { conv: depthwiseConv(outSize), bn: layerNorm(outSize, normEps) },
      se: squeezeExcite(outSize, squeezedSize(inSize)),
      conv3: { conv: pointConv(outSize, outSize, { bias: false }), bn: layerNorm(outSize, normEps) },
      downsample:
        inSize === outSize
          ? null
          : { conv: pointConv(inSize, outSize, { bias: false }), bn: layerNorm(outSize, normEps) },
    },
    ({ conv1, conv2, se, conv3, downsample }, x: Value) => {
      const spread = silu(conv2.bn(conv2.conv(silu(conv1.bn(conv1.conv(x))))));
      const shortcut = downsample ? downsample.bn(downsample.conv(x)) : x;
      return silu(add(conv3.bn(conv3.conv(se(spread))), shortcut));
    },
  );

/** The mean of the picture decides how much of each channel goes on. */
const squeezeExcite = (size: number, squeezed: number): Block =>
  module('SqueezeExcite', { fc1: pointConv(size, squeezed), fc2: pointConv(squeezed, size) }, (m, x: Value) =>
    mul(x, sigmoid(m.fc2(silu(m.fc1(reduceMean(x, [1, 2], true)))))),
  );

/** Convolution of one point: a linear map of the channels, whose weight is stored with a kernel of 1 x 1. */
const pointConv = (inSize: number, outSize: number, { bias = true }: { bias?: boolean } = {}): Block =>
  module(
    'PointConv',
    {
      weight: new Parameter([outSize, inSize, 1, 1]),
      bias: bias ? new Parameter([outSize], { kind: 'zeros' }) : null,
    },
    (m, x: Value) => linear(x, reshape(m.weight, [outSize, inSize]), m.bias),
  );

/** Every channel by a 3 x 3 kernel of its own. */
const depthwiseConv = (size: number): Block =>
  module('DepthwiseConv', { weight: new Parameter([size, 1, 3, 3]) }, (m, x: Value) => {
    const planes = conv(transpose(x, [0, 3, 1, 2]), m.weight, null, { padding: 1, groups: size });
    return transpose(planes, [0, 2, 3, 1]);
  });
