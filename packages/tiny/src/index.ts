export {
  evaluate,
  drawFresh,
  conditions,
  type Condition,
  type EvaluateOptions,
  type Evaluation,
  type Score,
} from './evaluate.js';
export { tinyFolder } from './folder.js';
export { tinyConfig, tinyModel, tinyPreprocessor } from './model.js';
export {
  lookCurriculum,
  pairCurriculum,
  questionCurriculum,
  worldDataset,
  type Curriculum,
} from './dataset.js';
export { openPool, type Pool } from './pool.js';
export { answerStage, lookStage, pairStage, settleStage } from './recipe.js';
export { makeExample, type Example } from './world/example.js';
export { grade, intersectionOverUnion, parseBox } from './world/grade.js';
export { questionKinds, type QuestionKind } from './world/question-kinds.js';
export { ask, type Dialogue } from './world/questions.js';
export { Random } from './world/random.js';
export { paint } from './world/raster.js';
export { randomScene, type Scene } from './world/scene.js';
export { sceneToSvg } from './world/svg.js';
