import { fileURLToPath } from 'node:url';
import { build, type Rolldown } from 'vite';
import { beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const entry = `${root}entry.js`;
const external = ['onnxruntime-web'];

/** Modules of the page and of its worker, by the names that Vite gives them. */
const modules = new Set<string>();
/** All texts of the output by file name. */
const texts = new Map<string, string>();

/** A page with one import, built as Vite builds it: no alias, no stand-ins for modules of Node. */
beforeAll(async () => {
  const listed = {
    name: 'listed',
    moduleParsed: ({ id }: { readonly id: string }) => void modules.add(id),
  };
  const output = (await build({
    configFile: false,
    logLevel: 'silent',
    root,
    plugins: [
      {
        name: 'page',
        resolveId: (id) => (id === entry ? entry : undefined),
        load: (id) =>
          id === entry ? "import { load } from '@weft/runtime'; globalThis.load = load;" : undefined,
      },
      listed,
    ],
    worker: { format: 'es', rolldownOptions: { external }, plugins: () => [listed] },
    build: { write: false, minify: false, rolldownOptions: { input: entry, external } },
  })) as Rolldown.RolldownOutput;
  for (const file of output.output)
    texts.set(file.fileName, file.type === 'chunk' ? file.code : textOf(file.source));
});

const textOf = (source: string | Uint8Array): string =>
  typeof source === 'string' ? source : new TextDecoder().decode(source);
const holding = (pattern: RegExp): string[] =>
  [...texts].flatMap(([name, text]) => (pattern.test(text) ? [name] : []));

describe('load, bundled for browsers', () => {
  it('holds the backends for browsers, in the page and in its workers', () => {
    const backends = [...modules].filter((id) => id.includes('/dist/backend/'));
    expect(backends.filter((id) => id.includes('/backend/node/'))).toEqual([]);
    for (const part of ['runtime', 'weights', 'text', 'image'])
      expect(backends.some((id) => id.endsWith(`/${part}/dist/backend/web/index.js`))).toBe(true);
    // One runs the model, the other renders templates that take long.
    expect([...texts.keys()].filter((name) => /worker/.test(name))).toHaveLength(2);
    for (const worker of ['/runtime/dist/backend/web/worker.js', '/text/dist/backend/web/render-worker.js'])
      expect([...modules].some((id) => id.includes(worker))).toBe(true);
  });

  it('needs no module of Node, no sharp and no binding for Node', () => {
    expect([...modules].filter((id) => /__vite-browser-external|\/node_modules\/sharp\//.test(id))).toEqual(
      [],
    );
    expect(holding(/node:|__vite-browser-external/)).toEqual([]);
    expect(holding(/['"`]sharp['"`]|onnxruntime-node/)).toEqual([]);
  });

  it('imports ONNX Runtime for browsers on first use', () => {
    const imports = holding(/import\(\s*['"`]onnxruntime-web['"`]\s*\)/);
    expect(imports.some((name) => /worker/.test(name))).toBe(true);
    expect(imports.some((name) => !/worker/.test(name))).toBe(true);
    expect(holding(/from\s*['"]onnxruntime-web['"]/)).toEqual([]);
  });
});
