import type { Command } from 'commander';
import type { Context } from '../context.js';

const example = `{
  "model": "llava-1.5-7b",
  "data": { "file": "samples.jsonl", "images": "pictures" },
  "stages": [
    { "name": "align", "trainable": ["connector"], "steps": 200, "batchSize": 8, "learningRate": 1e-3, "warmupSteps": 6 },
    { "name": "tune", "trainable": ["connector", "backbone"], "steps": 500, "batchSize": 4, "accumulate": 4, "learningRate": 2e-5 }
  ],
  "out": "runs/my-model",
  "seed": 1
}`;

/** `weft train`: trains a model through stages of supervised conversations. */
export function addTrainCommand(program: Command, context: Context): void {
  program
    .command('train')
    .summary('train a model')
    .description(
      'Trains a model through the stages of a JSON configuration and writes it as a Hugging Face folder, with metrics.jsonl and loss.svg. A run that was stopped goes on by itself where it stood, with the same result to the last bit.',
    )
    .argument('<config>', 'JSON file; paths in it are relative to its folder')
    .option('-o, --out <folder>', "folder for the trained model, in place of the configuration's")
    .option('--allow-outside', 'take images outside of their folder too, by absolute paths, .. and links')
    .addHelpText(
      'after',
      `\nExample:\n  $ weft train train.json\n\ntrain.json:\n${example}\n\nA line of samples.jsonl:\n{"messages": [{"role": "user", "content": "<image>What is this?"}, {"role": "assistant", "content": "A star."}], "images": ["1.png"]}`,
    )
    .action(
      async (
        file: string,
        { out, allowOutside }: { readonly out?: string; readonly allowOutside?: boolean },
      ) => {
        const [{ readTrainConfig }, { train }] = await Promise.all([
          import('../train-config.js'),
          import('../train-run.js'),
        ]);
        await train(await readTrainConfig(file, out, allowOutside), context);
      },
    );
}
