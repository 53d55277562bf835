export { bytesPerElement, fromFloat32, isSafetensorsDtype, toFloat32 } from './dtypes.js';
export type { FloatDtype, SafetensorsDtype } from './dtypes.js';
export { openSafetensors } from './safetensors.js';
export type { SafetensorsFile, TensorEntry } from './safetensors.js';
export { openCheckpoint } from './checkpoint.js';
export type { Checkpoint } from './checkpoint.js';
export type { Files, OpenFile, PathKind } from './backend/files.js';
export {
  files,
  fillSafetensors,
  makeFolder,
  removeTemporaries,
  replaceFiles,
  writeCheckpoint,
  writeFileAtomic,
  writeSafetensors,
} from '#backend';
export type { FilesToReplace } from './files-to-replace.js';
export type { FilledPlace, FileToFill, TensorToFill, TensorToWrite } from './tensor-to-write.js';
export { matchWeights } from './match.js';
export type { MatchedWeights, UnusedEntry, UnusedReason, WeightsToMatch } from './match.js';
export { holdsValues, sameValues } from './compare-values.js';
export { isJoined, joinTensors, wholeTensor } from './join.js';
export type { JoinedEntry, JoinTensors, TensorJoin, WeightEntry } from './join.js';
export { splitTensors } from './split.js';
export type { SplitTensor, TensorSlice } from './split.js';
export { foreignName, foreignStart } from './foreign-file.js';
export type { ForeignFile } from './foreign-file.js';
export { outsideFile } from './links.js';
export type { OutsideFile } from './links.js';
