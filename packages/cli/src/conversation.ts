import { createInterface, type Interface } from 'node:readline';
import { printable, printableLine } from '@weft/errors';
import { decodeImage, type Raster } from '@weft/image';
import type { Chat } from '@weft/runtime';
import { commandsText } from './chat-commands.js';
import { reportFailure, UsageError } from './failure.js';
import type { Context } from './context.js';
import { styleOf } from './terminal.js';

/** A conversation with the reader of standard input, line by line. */
export class Conversation {
  readonly #lines: Interface;
  readonly #isTerminal = Boolean(process.stdin.isTTY);
  #cancel: (() => void) | undefined;

  /** Reads image files. @throws InputError if one cannot be used */
  static async readPictures(paths: readonly string[], signal: AbortSignal): Promise<Raster[]> {
    const pictures: Raster[] = [];
    for (const path of paths) pictures.push(await decodeImage(path, { signal }));
    return pictures;
  }

  /** @param images pictures that wait for the next message */
  constructor(
    private readonly chat: Chat,
    private readonly context: Context,
    private images: readonly Raster[],
  ) {
    this.#lines = createInterface({
      input: process.stdin,
      ...(this.#isTerminal ? { output: process.stderr } : {}),
      prompt: '> ',
    });
    // In a terminal readline takes Ctrl-C: it ends an answer first, then the conversation.
    this.#lines.on('SIGINT', () => (this.#cancel ? this.#cancel() : process.emit('SIGINT')));
    context.signal.addEventListener('abort', () => {
      this.#cancel?.();
      this.#lines.close();
    });
  }

  /**
   * Reads lines until the end of the input. Nothing may be awaited before the loop: lines would be lost.
   *
   * @param name of the model, for the greeting
   */
  async run(name: string): Promise<void> {
    if (this.#isTerminal)
      process.stderr.write(`${styleOf(process.stderr).dim(`${printableLine(name)}. ${commandsText}`)}\n`);
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
      this.chat.reset();
      this.images = [];
    } else if (name === 'image' && rest !== '')
      this.images = [...this.images, ...(await Conversation.readPictures([rest], this.context.signal))];
    else if (name === 'image') throw new UsageError('/image has no path of a picture.', commandsText);
    else throw new UsageError(`There is no command '${line}'.`, commandsText);
  }

  async #answer(text: string): Promise<void> {
    const answer = this.chat.send(text, { images: this.images, signal: this.context.signal });
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
