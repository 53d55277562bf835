// The table of layers: which kind of package may import which. One place, read by the check and by the generator.

/** A rule matches package names without the scope; the first match counts. `may` lists rules by name. */
export const layers = [
  { name: 'errors', match: /^errors$/, may: [] },
  { name: 'graph', match: /^graph$/, may: [] },
  { name: 'weights', match: /^weights$/, may: [] },
  { name: 'image', match: /^image$/, may: [] },
  { name: 'jinja', match: /^jinja$/, may: [] },
  { name: 'text', match: /^text$/, may: ['jinja'] },
  { name: 'spec', match: /^spec$/, may: ['graph'] },
  { name: 'nn', match: /^nn$/, may: ['graph', 'spec'] },
  { name: 'onnx', match: /^onnx$/, may: ['graph'] },
  { name: 'autodiff', match: /^autodiff$/, may: ['graph'] },
  { name: 'quantize', match: /^quantize$/, may: ['onnx', 'weights'] },
  {
    name: 'part',
    match: /^(encoder|connector|backbone|fusion|positions|codec)-/,
    may: ['graph', 'spec', 'nn'],
  },
  { name: 'processors', match: /^processors$/, may: ['graph', 'spec', 'image'] },
  { name: 'models', match: /^models$/, may: ['graph', 'spec', 'nn', 'part', 'processors', 'image', 'text'] },
  { name: 'feeds', match: /^feeds$/, may: ['graph', 'spec'] },
  {
    name: 'runtime',
    match: /^runtime$/,
    may: ['graph', 'spec', 'models', 'processors', 'feeds', 'onnx', 'quantize', 'weights', 'image', 'text'],
  },
  {
    name: 'train',
    match: /^train$/,
    may: ['graph', 'spec', 'models', 'feeds', 'runtime', 'onnx', 'autodiff', 'weights', 'image', 'text'],
  },
  {
    name: 'tiny',
    match: /^tiny$/,
    may: [
      'graph',
      'spec',
      'nn',
      'part',
      'processors',
      'models',
      'runtime',
      'train',
      'weights',
      'image',
      'text',
    ],
  },
  {
    name: 'cli',
    match: /^cli$/,
    may: [
      'graph',
      'spec',
      'processors',
      'models',
      'quantize',
      'runtime',
      'train',
      'tiny',
      'weights',
      'image',
      'text',
    ],
  },
  {
    name: 'umbrella',
    match: /^weft-vlm$/,
    may: [
      'graph',
      'spec',
      'nn',
      'part',
      'processors',
      'models',
      'feeds',
      'runtime',
      'train',
      'tiny',
      'cli',
      'onnx',
      'quantize',
      'autodiff',
      'weights',
      'image',
      'jinja',
      'text',
    ],
  },
  { name: 'testing', match: /^testing$/, may: ['graph', 'spec', 'onnx', 'autodiff', 'weights'] },
];

/** Packages any package may use in its tests only. */
export const testOnly = ['testing', 'onnx', 'autodiff', 'weights'];

export const layerOf = (name) => layers.find((layer) => layer.match.test(name));

/** Whether package `from` may import package `to` (names without the scope). */
export function mayImport(from, to) {
  const [a, b] = [layerOf(from), layerOf(to)];
  return Boolean(a && b && (b.name === 'errors' ? a.name !== 'errors' : a.may.includes(b.name)));
}
