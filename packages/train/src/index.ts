export { collate, ignored, type Batch } from './batch.js';
export type { TrainingExample } from './training-example.js';
export { sampleIndex, type Dataset } from './dataset.js';
export { differenceText, firstDifference, type Difference } from './difference.js';
export { describeStage, listParameters } from './describe.js';
export { fit, type FitOptions, type StageRun } from './fit.js';
export { jsonlDataset, type JsonlOptions } from './jsonl-dataset.js';
export { lossPlot } from './loss-plot.js';
export type { Metric } from './metric.js';
export { movingMean } from './moving-mean.js';
export { Optimizer, type OptimizerOptions, type UpdateReport } from './optimizer.js';
export { trainingProgress, type ProgressStream } from './progress.js';
export { sftExample, type SftSample } from './sft.js';
export {
  globToRegExp,
  planStage,
  scheduleFactor,
  type PlannedParameter,
  type RateRule,
  type Stage,
  type StageParameter,
} from './stage.js';
