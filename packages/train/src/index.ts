export { collate, ignored, type Batch, type TrainingExample } from './batch.js';
export { Optimizer, type UpdateReport } from './optimizer.js';
export { globToRegExp, planStage, scheduleFactor, type PlannedParameter, type RateRule, type Stage, type StageParameter } from './stage.js';
