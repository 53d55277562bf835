import { ConfigError, isWeftError } from '@weft/errors';
import { isModule } from '@weft/graph';
import type { Component, Json, PartDefinition, PartKind, PartKinds } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { shapesOf } from './golden.js';

/** What a composition tells a part of this kind; nothing where `create` makes the part itself. */
export type ContextOf<K extends PartKind> = PartKinds[K] extends (context: infer X) => unknown
  ? X
  : undefined;

export interface DefinitionChecks<K extends PartKind, C> {
  /** Small configurations: together they set every field, and leave out every one that may be. */
  readonly configs: readonly [C, ...C[]];
  /** Of parts that wait for it, such as connectors. */
  readonly context?: ContextOf<K>;
  /** Configurations that no section of published files can express. */
  readonly unwritable?: readonly C[];
}

/**
 * What must hold for the definition of any part, so that compositions can be saved, loaded and sent to workers; call it in
 * a test file of the part's package.
 */
export function testDefinition<K extends PartKind, C>(
  definition: PartDefinition<K, C>,
  { configs, context, unwritable = [] }: DefinitionChecks<NoInfer<K>, NoInfer<C>>,
): void {
  const { id, kind, presets, types = [] } = definition;
  const isGiven = (kind: PartKind): boolean =>
    !['connector', 'arranger', 'processor', 'positions'].includes(kind);
  const make = (config: C): Pick<Component, 'id' | 'source' | 'config'> => {
    const made: unknown = definition.create(config);
    return (isGiven(kind) ? made : (made as (given: unknown) => unknown)(context)) as Component;
  };
  const shapes = (part: unknown): Record<string, string> =>
    isModule(part as Component) ? shapesOf(part as Component) : {};
  const throughJson = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
  const cases = configs.map((config) => [JSON.stringify(config), config] as const);
  const sizes = Object.entries(presets);

  describe(`the definition of ${id}`, () => {
    it('is called what its part calls itself, and says where it comes from', () => {
      const part = make(configs[0]);
      expect(id).toBe(part.id);
      expect(id).toMatch(/^[a-z]+(-[a-z0-9]+)+$/);
      expect(definition.source.paper).toMatch(/^https:\/\//);
      expect(definition.source.code).toMatch(/^https:\/\/.*\/blob\/(v\d+\.\d+\.\d+|[0-9a-f]{40})\//);
    });

    it.each(cases)('makes a part that states its configuration, defaults filled in: %s', (_, config) => {
      const stated = make(config).config;
      expect({ ...stated, ...config }).toEqual(stated);
      expect(make(stated as C).config).toEqual(stated);
    });

    it.each(cases)('makes the same part of a configuration that was JSON: %s', (_, config) => {
      const part = make(config);
      const again = make(throughJson(part.config) as C);
      expect(again.config).toEqual(part.config);
      expect(shapes(again)).toEqual(shapes(part));
    });

    if (sizes.length > 0)
      it.each(sizes)('makes the published size %s', (_, config) => {
        const { config: stated } = make(config);
        expect({ ...stated, ...config }).toEqual(stated);
      });

    if (definition.fields) testFields(definition, make, make(configs[0]).config as C);

    testSections(definition, {
      stated: (config) => make(config).config,
      configs: [...configs, ...Object.values<C>(presets)],
      unwritable,
    });

    if (types.length > 0 && kind !== 'processor')
      it.each(types)('reads a section of type %s, or says which field is missing', (type) => {
        expectReadOrRefused(definition, make, { model_type: type });
      });
  });
}

/** Values that are of the wrong type or out of bounds for one field or another; those of files, so no functions. */
const oddValues: readonly unknown[] = [
  null,
  'odd',
  '',
  true,
  -1,
  0.5,
  1e300,
  2 ** 40,
  [],
  [null],
  ['odd'],
  {},
  { odd: 1 },
];

/** A part that states its fields refuses what they cannot hold before it makes anything of it. */
function testFields<K extends PartKind, C>(
  { id, create, fields }: PartDefinition<K, C>,
  make: (config: C) => unknown,
  stated: C,
): void {
  const names = Object.keys(fields!);

  it('knows every field that its part states, and names the closest one to others', () => {
    expect(Object.keys(stated as object).filter((name) => !names.includes(name))).toEqual([]);
    expect(() => create({ ...stated, unheardOf: 1 } as C)).toThrow(`${id}: there is no field 'unheardOf'.`);
    const [name = ''] = names;
    if (name.length > 3)
      expect(() => create({ ...stated, [`${name}x`]: 1 } as C)).toThrow(`Did you mean '${name}'?`);
    for (const config of [null, 'odd', []]) expect(() => create(config as C)).toThrow(ConfigError);
  });

  it.each(names)('takes %s of its type or refuses it by name', (name) => {
    let refused = 0;
    for (const value of oddValues)
      try {
        make({ ...stated, [name]: value } as C);
      } catch (error) {
        refused++;
        if (!isWeftError(error)) throw error;
      }
    expect(refused).toBeGreaterThan(oddValues.length / 2);
  });
}

interface Sections<C> {
  readonly stated: (config: C) => Json;
  readonly configs: readonly C[];
  readonly unwritable: readonly C[];
}

function testSections<K extends PartKind, C>(
  definition: PartDefinition<K, C>,
  { stated, configs, unwritable }: Sections<C>,
): void {
  const { read, write } = definition;
  if (read)
    it('reads an empty section, or says which field is missing', () => {
      expectReadOrRefused(definition, stated, {});
    });
  if (!read || !write) return;

  it('reads back every section that it writes', () => {
    const written = configs.flatMap((config) => {
      const section = write(config);
      return section ? [{ config, section: JSON.parse(JSON.stringify(section)) as Json }] : [];
    });
    expect(written).not.toEqual([]);
    for (const { config, section } of written) expect(stated(read(section))).toEqual(stated(config));
  });

  if (unwritable.length > 0)
    it.each(unwritable.map((config) => [JSON.stringify(config), config] as const))(
      'writes no section for what none can express: %s',
      (_, config) => {
        expect(write(config)).toBeUndefined();
        expect(stated(config)).toBeDefined();
      },
    );
}

function expectReadOrRefused<K extends PartKind, C>(
  { read }: PartDefinition<K, C>,
  make: (config: C) => unknown,
  section: Json,
): void {
  let config: C;
  try {
    config = read!(section);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return;
  }
  expect(make(config)).toBeDefined();
}
