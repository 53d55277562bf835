import { join } from 'node:path';
import { namedParameters } from '@weft/graph';
import { fromFloat32, makeFolder, writeCheckpoint, writeFileAtomic } from '@weft/weights';
import { tinyConfig, tinyModel, tinyPreprocessor } from './model.js';
import { chatTemplate, tinyTokenizer, tinyTokenizerConfig, tinyTokens } from './tokenizer.js';

/** Writes the embedded model as a Hugging Face folder, weights in half precision. */
export async function saveTiny(folder: string, weights: ReadonlyMap<string, Float32Array>): Promise<void> {
  await makeFolder(folder);
  const parameters = namedParameters((await tinyModel()).module);
  const tensors = [...parameters].map(([name, { shape }]) => ({
    name,
    dtype: 'F16' as const,
    shape,
    data: fromFloat32(weights.get(name)!, 'F16'),
  }));
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  const { end, pad } = tinyTokens();
  await writeCheckpoint(folder, tensors);
  await writeFileAtomic(join(folder, 'config.json'), json(tinyConfig()));
  await writeFileAtomic(join(folder, 'preprocessor_config.json'), json(tinyPreprocessor()));
  await writeFileAtomic(
    join(folder, 'generation_config.json'),
    json({ do_sample: false, eos_token_id: end, pad_token_id: pad, max_new_tokens: 96 }),
  );
  await writeFileAtomic(join(folder, 'tokenizer.json'), json(tinyTokenizer()));
  await writeFileAtomic(join(folder, 'tokenizer_config.json'), json(tinyTokenizerConfig()));
  await writeFileAtomic(join(folder, 'chat_template.jinja'), chatTemplate);
}
