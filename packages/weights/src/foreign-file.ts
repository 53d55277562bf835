/** A file of another format: what it is, and what to do instead. */
export interface ForeignFile {
  /** Such as `a GGUF file of llama.cpp`. */
  readonly what: string;
  readonly hint: string;
}

const original =
  'Take the checkpoint in safetensors from which it was made: the page of the model names it as its base model.';
const pytorch =
  'Convert the checkpoint in Python: load it with transformers and call save_pretrained(folder), which writes safetensors.';

const kinds = {
  lfs: {
    what: 'a pointer of Git LFS in the place of the file',
    hint: 'Fetch the files themselves: run `git lfs install` and `git lfs pull` in the folder.',
  },
  gguf: { what: 'a GGUF file of llama.cpp', hint: original },
  onnx: { what: 'an ONNX model', hint: original },
  pytorch: { what: 'PyTorch weights', hint: pytorch },
  tensorflow: { what: 'TensorFlow weights', hint: pytorch },
  flax: { what: 'Flax weights', hint: pytorch },
  numpy: { what: 'a NumPy archive', hint: pytorch },
  page: {
    what: 'a web page',
    hint: 'The server answered with a page in the place of the file. Download it again, signed in where the model asks for it.',
  },
} as const satisfies Record<string, ForeignFile>;

/** First bytes as Latin-1 text, in small letters. */
const starts: readonly (readonly [starts: readonly string[], kind: keyof typeof kinds])[] = [
  [['version https://git-lfs.'], 'lfs'],
  [['gguf', 'ggml', 'ggjt', 'tjgg', 'lmgg'], 'gguf'],
  // Zip archives, and pickles of protocols 2 to 5.
  [['pk\u0003\u0004', ...[2, 3, 4, 5].map((protocol) => String.fromCharCode(0x80, protocol))], 'pytorch'],
  [['\u0089hdf'], 'tensorflow'],
  [['\u0093numpy'], 'numpy'],
  [['<!doctype', '<html', '<?xml'], 'page'],
];

const endings: readonly (readonly [pattern: RegExp, kind: keyof typeof kinds])[] = [
  [/\.(gguf|ggml)$/i, 'gguf'],
  [/\.onnx$|^onnx$/i, 'onnx'],
  [/\.(bin|pth?|ckpt)$/i, 'pytorch'],
  [/\.(h5|tflite|pb)$/i, 'tensorflow'],
  [/\.msgpack$/i, 'flax'],
  [/\.npz$/i, 'numpy'],
];

/** What a file is by its first bytes, as many as there are of 64; `undefined` where they say nothing. */
export function foreignStart(bytes: Uint8Array): ForeignFile | undefined {
  const text = String.fromCharCode(...bytes.subarray(0, 64))
    .trimStart()
    .toLowerCase();
  const kind = starts.find(([texts]) => texts.some((start) => text.startsWith(start)))?.[1];
  return kind && kinds[kind];
}

/** What a file or folder is by its name. */
export function foreignName(name: string): ForeignFile | undefined {
  const kind = endings.find(([pattern]) => pattern.test(name))?.[1];
  return kind && kinds[kind];
}
