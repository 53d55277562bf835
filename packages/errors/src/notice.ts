/**
 * Something that a file of a checkpoint says and Weft does not apply, or reads in another way than it stands there. It is
 * no error: the model works. Each is told once, when the model is loaded.
 */
export interface Notice {
  /** The file, with the key or tensor: `generation_config.json: watermarking_config`. */
  readonly where: string;
  /** What was found and what happens instead, one sentence. */
  readonly message: string;
}

/** Takes notices as files are read. */
export type TakeNotice = (notice: Notice) => void;

/** A list of notices that holds each once. */
export class NoticeList {
  readonly #notices = new Map<string, Notice>();

  readonly take: TakeNotice = (notice) => {
    this.#notices.set(`${notice.where}\n${notice.message}`, notice);
  };

  /** In the order in which they came. */
  get all(): readonly Notice[] {
    return [...this.#notices.values()];
  }
}
