import { ConfigError, shown } from '@weft/errors';

/** Reads fields of a JSON value by hand, with messages that name the place of a field. */
export class ConfigReader {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #read = new Set<string>();

  /**
   * @param path place of the value in the file, `''` for the whole
   * @throws ConfigError unless the value is an object
   */
  constructor(
    value: unknown,
    readonly path: string,
    readonly file: string,
  ) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw wrong(path === '' ? 'The configuration' : path, value, 'an object', file);
    this.#fields = value as Readonly<Record<string, unknown>>;
  }

  /** Place of a field in the file. */
  at(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`;
  }

  /** Whether the field is there; asking makes it a known one. */
  has(key: string): boolean {
    this.#read.add(key);
    return this.#fields[key] !== undefined;
  }

  /** A field that another function checks. */
  raw(key: string): unknown {
    this.#read.add(key);
    return this.#fields[key];
  }

  /** @throws ConfigError if the field is there and does not pass the check, or is missing without a fallback */
  value<T>(key: string, check: (value: unknown) => value is T, wanted: string): T {
    const value = this.raw(key);
    if (!check(value)) throw wrong(this.at(key), value, wanted, this.file);
    return value;
  }

  optional<T>(key: string, check: (value: unknown) => value is T, wanted: string): T | undefined {
    return this.has(key) ? this.value(key, check, wanted) : undefined;
  }

  object(key: string): ConfigReader {
    return new ConfigReader(this.raw(key), this.at(key), this.file);
  }

  list(key: string): ConfigReader[] {
    const values = this.value(
      key,
      (value): value is unknown[] => Array.isArray(value) && value.length > 0,
      'a list with at least one entry',
    );
    return values.map((value, i) => new ConfigReader(value, `${this.at(key)}[${i}]`, this.file));
  }

  fail(key: string, message: string, hint: string): never {
    throw new ConfigError({ message: `${this.at(key)} ${message}`, where: this.file, hint });
  }

  /** Refuses fields that nobody read. @throws ConfigError naming the first one, and the known ones */
  done(): void {
    const unknown = Object.keys(this.#fields).find((key) => !this.#read.has(key));
    if (unknown === undefined) return;
    throw new ConfigError({
      message: `${this.at(unknown)} is not a field of the configuration.`,
      where: this.file,
      hint: `Fields here are ${[...this.#read].join(', ')}.`,
    });
  }
}

const wrong = (what: string, value: unknown, wanted: string, file: string): ConfigError =>
  new ConfigError({
    message: `${what} is ${shown(value, 80)}, expected ${wanted}.`,
    where: file,
    hint: 'weft train --help shows a configuration.',
  });

export const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
export const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length > 0 && value.every(isText);
export const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
export const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 1;
export const isNatural = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;
export const isRate = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0;
export const isShare = (value: unknown): value is number => isRate(value) && value <= 1;
