/** The kinds of questions of this world. */
export const questionKinds = [
  'count-shape',
  'count-color',
  'count-objects',
  'color',
  'size',
  'exists',
  'relation',
  'box',
  'read',
  'describe',
] as const;

/** A kind of question; `describe-boxes` is asked in training only: it says where each thing is. */
export type QuestionKind = (typeof questionKinds)[number] | 'describe-boxes';
