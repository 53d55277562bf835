export { checkTargets } from './agreement.js';
export { assertClose, largestOf, type Closeness } from './compare.js';
export { checkGradients, type GradientCheck } from './gradients.js';
export { bindSizes, interpret, interpreter, type Interpreter } from './interpret.js';
export { randomIntegers, randomNumbers, randomParameters, randomTensor } from './random.js';
export { quantize } from './quantize.js';
export { openOnnx, runOnnx, type OnnxRunner, type RunOptions } from './run.js';
export { toTensor, type Tensor, type TensorLike, type Tensors } from './tensor.js';
export { testBackbone, type BackboneChecks } from './backbone-suite.js';
export { checkCachedDecoding } from './cached-decoding.js';
export {
  testComputation,
  testSource,
  type Computation,
  type PublishedChecks,
  type PublishedSize,
  type Unread,
} from './conformance.js';
export { testConnector, type ConnectorChecks } from './connector-suite.js';
export { testDefinition, type ContextOf, type DefinitionChecks } from './definition-suite.js';
export { describeGraph, rebuild } from './describe-graph.js';
export { testFusion, type FusionChecks } from './fusion-suite.js';
export { checkGoldenRuns, type GoldenRuns } from './golden-runs.js';
export { mulberry, testGoldenSizes, type Draw, type GoldenSizes } from './golden-sizes.js';
export { checkGolden, readFixture, type Fixture, type Golden } from './golden.js';
export type { Variants } from './variants.js';
export { testVisionEncoder, type VisionEncoderChecks } from './vision-encoder-suite.js';
