/** Files of a folder that take the place of others as one. */
export interface FilesToReplace {
  /** Writes the new files into an empty folder. */
  readonly write: (folder: string) => Promise<void>;
  /** Whether a file of the folder belongs to the old ones; those of the names of new ones always do. */
  readonly isOld: (name: string) => boolean;
  /** Names without which the folder is not read. */
  readonly gates: readonly string[];
}
