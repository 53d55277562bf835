import type { Command } from 'commander';
import { commandsText } from '../chat-commands.js';
import { openModel } from '../open-model.js';
import { addGenerationOptions, generationOptions, type GenerationFlags } from '../options.js';
import type { Context } from '../context.js';

/** `weft chat`: a conversation in the terminal, or one turn for each line of standard input. */
export function addChatCommand(program: Command, context: Context): void {
  const command = program
    .command('chat')
    .summary('talk about pictures, turn by turn')
    .description(
      `A conversation that keeps what was read before. Every line is a message. Pictures on the command line come with the first one.\nIn the conversation: ${commandsText}`,
    )
    .argument('[image...]', 'image files for the first message')
    .option('--system <text>', 'what the model is told before the conversation')
    .addHelpText(
      'after',
      '\nExamples:\n  $ weft chat photo.jpg\n  $ printf "What is this?\\nWhere?\\n" | weft chat photo.jpg',
    );
  addGenerationOptions(command).action(
    async (images: string[], flags: GenerationFlags & { readonly system?: string }) => {
      const model = await openModel(flags, context.signal);
      try {
        const { Conversation } = await import('../conversation.js');
        const chat = model.chat({ ...generationOptions(flags), system: flags.system });
        await new Conversation(chat, context, await Conversation.readPictures(images, context.signal)).run(
          model.folder,
        );
      } finally {
        await model.close();
      }
    },
  );
}
