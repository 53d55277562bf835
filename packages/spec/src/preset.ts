import { ConfigError } from '@weft/errors';

/**
 * A configuration given by the name of a published size or in full.
 *
 * @throws ConfigError that lists the presets, if there is none of that name
 */
export function resolvePreset<C extends object>(
  who: string,
  presets: Readonly<Record<string, C>>,
  config: string | C,
): C {
  if (typeof config !== 'string') return config;
  const preset = Object.hasOwn(presets, config) ? presets[config] : undefined;
  if (!preset)
    throw new ConfigError({
      message: `${who} has no preset '${config}'.`,
      hint: `It has: ${Object.keys(presets).join(', ')}.`,
    });
  return preset;
}

/** Config sections as they stand in a checkpoint's `config.json`. */
export type Json = Readonly<Record<string, unknown>>;

/**
 * Reads fields of a `config.json` section with checks.
 *
 * @param where name of the section, for messages
 */
export function configReader(section: Json, where: string) {
  const wrong = (key: string, wanted: string): never => {
    throw new ConfigError({
      message: `config.json: ${where}.${key} is ${JSON.stringify(section[key])}, expected ${wanted}.`,
      hint: 'Values come from the checkpoint; add the field to its config.json if it is missing.',
    });
  };
  return {
    number(key: string, fallback?: number): number {
      const value = section[key] ?? fallback;
      return typeof value === 'number' && Number.isFinite(value) ? value : wrong(key, 'a number');
    },
    string(key: string, fallback?: string): string {
      const value = section[key] ?? fallback;
      return typeof value === 'string' ? value : wrong(key, 'a string');
    },
    boolean(key: string, fallback: boolean): boolean {
      const value = section[key] ?? fallback;
      return typeof value === 'boolean' ? value : wrong(key, 'true or false');
    },
    /** One of a few words. */
    oneOf<T extends string>(key: string, choices: readonly T[], fallback?: T): T {
      const value = section[key] ?? fallback;
      return choices.find((choice) => choice === value) ?? wrong(key, `one of ${choices.join(', ')}`);
    },
    section(key: string, fallback?: Json): Json {
      const value = section[key] ?? fallback;
      return typeof value === 'object' && value !== null && !Array.isArray(value)
        ? (value as Json)
        : wrong(key, 'an object');
    },
    raw: (key: string): unknown => section[key],
  };
}

/** Reads one section of a `config.json`; see `configReader`. */
export type ConfigReader = ReturnType<typeof configReader>;
