import { createInterface, type Interface } from 'node:readline';
import { decodeImage } from '@weft/image';
import type { Chat, LoadedModel } from '@weft/runtime';
import type { Command } from 'commander';
import { reportFailure, UsageError } from '../failure.js';
import { openModel } from '../open-model.js';
import { addGenerationOptions, generationOptions, type GenerationFlags } from '../options.js';
import type { Context } from '../run.js';
import { printable, styleOf } from '../terminal.js';

const commandsText = '/image PATH shows a picture with the next message, /reset begins anew, /exit ends.';

/** `weft chat`: a conversation in the terminal, or one turn for each line of standard input. */
export function addChatCommand(program: Command, context: Context): void {
  const command = program
    .command('chat')
    .summary('talk about pictures, turn by turn')
    .description(`A conversation that keeps what was read before. Every line is a message. Pictures on the command line come with the first one.\nIn the conversation: ${commandsText}`)
    .argument('[image...]', 'image files for the first message')
    .option('--system <text>', 'what the model is told before the conversation')
    .addHelpText('after', '\nExample:\n  $ weft chat photo.jpg\n  $ printf "What is this?\\nWhere?\\n" | weft chat photo.jpg');
  addGenerationOptions(command).action(async (images: string[], flags: GenerationFlags & { readonly system?: string }) => {
    const model = await openModel(flags, context.signal);
    try {
      const pictures: Picture[] = [];
      for (const path of images) pictures.push(await decodeImage(path, { signal: context.signal }));
      await new Conversation(model, flags, context, pictures).run();
    } finally {
      await model.close();
    }
  });
}

type Picture = Awaited<ReturnType<typeof decodeImage>>;

class Conversation {
  readonly #chat: Chat;
  readonly #lines: Interface;
  readonly #isTerminal = Boolean(process.stdin.isTTY);
  #cancel: (() => void) | undefined;

  constructor(
    private readonly model: LoadedModel,
    flags: GenerationFlags & { readonly system?: string },
    private readonly context: Context,
    /** Pictures that wait for the next message. */
    private images: readonly Picture[],
  ) {
    this.#chat = model.chat({ ...generationOptions(flags), system: flags.system });
    this.#lines = createInterface({ input: process.stdin, ...(this.#isTerminal ? { output: process.stderr } : {}), prompt: '> ' });
    // In a terminal readline takes Ctrl-C: it ends an answer first, then the conversation.
    this.#lines.on('SIGINT', () => (this.#cancel ? this.#cancel() : process.emit('SIGINT')));
    context.signal.addEventListener('abort', () => {
      this.#cancel?.();
      this.#lines.close();
    });
  }

  /** Reads lines until the end of the input. Nothing may be awaited before the loop: lines would be lost. */
  async run(): Promise<void> {
    if (this.#isTerminal) process.stderr.write(`${styleOf(process.stderr).dim(`${this.model.folder}. ${commandsText}`)}\n`);
    this.#prompt();
    for await (const line of this.#lines) {
      if (this.context.signal.aborted || (await this.#take(line.trim())) === 'exit') break;
      this.#prompt();
    }
    this.#lines.close();
  }

  #prompt(): void {
    if (this.#isTerminal) this.#lines.prompt();
  }

  /** A line that cannot be used is reported, and the conversation goes on. */
  async #take(line: string): Promise<'exit' | undefined> {
    try {
      if (line === '/exit') return 'exit';
      if (line.startsWith('/')) await this.#command(line);
      else if (line !== '') await this.#answer(line);
    } catch (error) {
      if (this.context.signal.aborted) return 'exit';
      reportFailure(error, process.stderr);
      if (!this.#isTerminal) this.context.fail();
    }
    return undefined;
  }

  async #command(line: string): Promise<void> {
    const [, name, rest = ''] = /^\/(\S*)\s*(.*)$/.exec(line)!;
    if (name === 'reset') {
      this.#chat.reset();
      this.images = [];
    } else if (name === 'image' && rest !== '') this.images = [...this.images, await decodeImage(rest)];
    else throw new UsageError(`There is no command '${line}'.`, commandsText);
  }

  async #answer(text: string): Promise<void> {
    const answer = this.#chat.send(text, { images: this.images, signal: this.context.signal });
    this.images = [];
    this.#cancel = () => answer.cancel();
    try {
      for await (const chunk of answer) process.stdout.write(printable(chunk.text));
    } finally {
      this.#cancel = undefined;
      process.stdout.write('\n');
    }
  }
}
