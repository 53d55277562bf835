import { startRenderThread } from '#backend';
import { ConfigError, InputError } from '@weft/errors';
import { defaultLimits, isLimitError, type RenderLimits } from '@weft/jinja';
import type { Segment } from './chat-segments.js';
import { renderHere, type RenderAnswer, type RenderRequest } from './render-request.js';

/** What a rendering may take before it goes on in a thread of its own; published templates take far less. */
const quickLimits = { steps: 500_000, milliseconds: 250 };

/** What a rendering in a thread may take. */
const threadLimits: RenderLimits = { ...defaultLimits, steps: 20_000_000, milliseconds: 10_000 };

/** Says that a rendering takes longer; never leaves `withRenderThread`. */
class Unfinished extends Error {
  readonly request: RenderRequest;

  constructor(request: RenderRequest) {
    super('A rendering goes on in a thread.');
    this.request = request;
  }
}

/** Renderings that were made in threads for the action that runs. */
let finished: Map<string, RenderAnswer> | undefined;

/** Renders: in this thread, or for an action of {@link withRenderThread} as far as a small budget reaches. */
export function render(request: RenderRequest): Segment[] {
  if (!finished) return renderHere(request);
  const answer = finished.size > 0 ? finished.get(keyOf(request)) : undefined;
  if (answer) return segmentsOf(answer);
  try {
    return renderHere({ ...request, limits: { ...request.limits, ...quickest(request.limits) } });
  } catch (error) {
    if (isLimitError(error, 'steps', 'milliseconds')) throw new Unfinished(request);
    throw error;
  }
}

/** The same for renderings of the same data. */
const keyOf = (request: RenderRequest): string =>
  JSON.stringify(request, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));

const quickest = (limits: Partial<RenderLimits>): Partial<RenderLimits> => ({
  steps: Math.min(limits.steps ?? Infinity, quickLimits.steps),
  milliseconds: Math.min(limits.milliseconds ?? Infinity, quickLimits.milliseconds),
});

function segmentsOf(answer: RenderAnswer): Segment[] {
  if ('segments' in answer) return answer.segments;
  const { isConfig, ...parts } = answer.error;
  throw isConfig ? new ConfigError(parts) : new InputError(parts);
}

/**
 * Runs an action that renders chat templates, so that none of them can hold the caller's thread: a rendering that takes
 * more than a moment is made in a thread of its own, which ends with the signal, and the action is run again with its
 * result. The action therefore has to do nothing but compute.
 *
 * @throws the signal's reason once it is aborted, and what the action throws
 */
export async function withRenderThread<Result>(
  action: () => Result,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Result> {
  const known = new Map<string, RenderAnswer>();
  for (;;) {
    signal?.throwIfAborted();
    const outer = finished;
    finished = known;
    try {
      return action();
    } catch (error) {
      if (!(error instanceof Unfinished)) throw error;
      finished = outer;
      const { request } = error;
      known.set(
        keyOf(request),
        await inThread({ ...request, limits: { ...threadLimits, ...request.limits } }, signal),
      );
    } finally {
      finished = outer;
    }
  }
}

/** Renders in a thread that ends with the signal. */
function inThread(request: RenderRequest, signal: AbortSignal | undefined): Promise<RenderAnswer> {
  const { milliseconds = threadLimits.milliseconds } = request.limits;
  return new Promise((resolve, reject) => {
    const thread = startRenderThread(request, {
      answer: (answer) => settle(() => resolve(answer)),
      failed: (reason) =>
        settle(() =>
          reject(
            new InputError({
              message: `The thread that renders the chat template ended: ${reason}.`,
              where: 'chat template',
              hint: 'Shorten the conversation.',
            }),
          ),
        ),
    });
    const abort = (): void => settle(() => reject(signal?.reason as Error));
    // A single step may take long; the thread's own clock cannot be asked within it.
    const late = setTimeout(
      () =>
        settle(() =>
          reject(
            new InputError({
              message: `The rendering of the chat template was stopped: it takes longer than ${milliseconds} ms (limit: milliseconds).`,
              where: 'chat template',
            }),
          ),
        ),
      milliseconds + 1000,
    );
    let isSettled = false;
    function settle(action: () => void): void {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(late);
      signal?.removeEventListener('abort', abort);
      thread.end();
      action();
    }
    signal?.addEventListener('abort', abort, { once: true });
  });
}
