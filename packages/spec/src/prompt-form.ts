/**
 * How a prompt with pictures is written for a model that has no chat template: the tokens of the pictures, `before`,
 * the text, `after`.
 */
export interface PromptForm {
  /** Control token between pictures and text. */
  readonly before: string;
  /** Control token with which the answer begins. */
  readonly after: string;
  readonly mostImages: number;
}
