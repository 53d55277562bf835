import { processors } from '#backend';
import { InputError } from '@weft/errors';

/**
 * Checks a number of threads. ONNX Runtime makes as many as it is told, and thousands bring a machine to a halt; more than
 * there are processors never help.
 *
 * @param where the number was given, for the message
 * @throws InputError unless it is a whole number from 1 to that of the processors
 */
export function checkThreads(threads: number | undefined, where: string): void {
  if (threads === undefined) return;
  const most = processors();
  if (!(Number.isInteger(threads) && threads >= 1))
    throw new InputError({
      message: `threads is ${String(threads)}, expected a whole number of at least 1.`,
      where,
      hint: 'Leave it out for the physical cores.',
    });
  if (threads > most)
    throw new InputError({
      message: `threads is ${threads}, but this machine has ${most} ${most === 1 ? 'processor' : 'processors'}.`,
      where,
      hint: `Give at most ${most}, or leave it out for the physical cores.`,
    });
}
