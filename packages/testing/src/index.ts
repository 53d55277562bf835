export { checkTargets } from './agreement.js';
export { assertClose, largestOf, type Closeness } from './compare.js';
export { checkGradients, type GradientCheck } from './gradients.js';
export { bindSizes, interpret, interpreter, type Interpreter } from './interpret.js';
export { randomIntegers, randomNumbers, randomParameters, randomTensor } from './random.js';
export { openOnnx, runOnnx, type OnnxRunner, type RunOptions } from './run.js';
export { toTensor, type Tensor, type TensorLike, type Tensors } from './tensor.js';
