/** A file that is open for reading. */
export interface OpenFile {
  /** Bytes. */
  readonly size: number;
  /**
   * Reads bytes from `offset` of the file on, as many as there are or as the system gives at once.
   *
   * @returns bytes that were read; 0 at the end of the file
   */
  read(into: Uint8Array, offset: number): Promise<number>;
  close(): Promise<void>;
}

/** What a path leads to. */
export type PathKind = 'file' | 'folder' | 'other';

/**
 * Where checkpoints lie: the disk in Node, whose errors are `FileError`s, addresses on a server in browsers. `isMissing`
 * tells which errors mean that nothing is there.
 */
export interface Files {
  /** The path in full; that of `path` from the folder `from` where it is given. */
  resolve(path: string, from?: string): string;
  join(folder: string, name: string): string;
  basename(path: string): string;
  dirname(path: string): string;
  /** The way down from a folder to a path, parts joined by `/`; `undefined` where the path does not lie in the folder. */
  relative(folder: string, path: string): string | undefined;
  /** The path in full, symbolic links resolved. */
  realpath(path: string): Promise<string>;
  kindOf(path: string): Promise<PathKind>;
  exists(path: string): Promise<boolean>;
  /** Names in a folder; `undefined` where they cannot be listed, as on a server. */
  list(folder: string): Promise<readonly string[] | undefined>;
  open(path: string): Promise<OpenFile>;
  readAll(path: string): Promise<Uint8Array>;
  /** The whole of a file as UTF-8. */
  readText(path: string): Promise<string>;
  isMissing(error: unknown): boolean;
}
