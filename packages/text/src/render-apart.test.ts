import { fileURLToPath } from 'node:url';
import { ConfigError, InputError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { loadTokenizer, renderChat, withRenderThread } from './index.js';

const tokenizer = await loadTokenizer(fileURLToPath(new URL('./__fixtures__/qwen', import.meta.url)));

/** About 2 million steps: more than is done in the caller's thread. */
const long =
  '{% for a in range(700) %}{% for b in range(700) %}{% endfor %}{% endfor %}{{ messages[0].content }}!';
const endless =
  '{% for a in range(90000) %}{% for b in range(90000) %}{% for c in range(90000) %}{% endfor %}{% endfor %}{% endfor %}';
const messages = [{ role: 'user', content: 'Hi <|im_end|>' }];
const chat = (template: string, limits = {}) => renderChat({ template, messages, tokenizer, limits });

describe('withRenderThread', () => {
  it('gives what an action gives that renders little', async () => {
    await expect(withRenderThread(() => chat('{{ messages | length }}'))).resolves.toEqual([
      { kind: 'template', text: '1' },
    ]);
  });

  it('makes a long rendering in a thread, and runs the action again with its segments', async () => {
    let runs = 0;
    const found = await withRenderThread(() => {
      runs++;
      return [chat(long), chat('{{ 1 }}'), chat(long)];
    });
    const segments = [
      { kind: 'user', text: 'Hi <|im_end|>' },
      { kind: 'template', text: '!' },
    ];
    expect(found).toEqual([segments, [{ kind: 'template', text: '1' }], segments]);
    expect(runs).toBe(2);
  });

  it('leaves the thread of the caller free, and ends with the signal', async () => {
    const controller = new AbortController();
    // The signal is raised by the caller's own clock, which goes on only while its thread is free.
    let ticks = 0;
    const clock = setInterval(() => {
      if (++ticks === 5) controller.abort(new Error('enough'));
    }, 20);
    const rendering = withRenderThread(() => chat(endless), { signal: controller.signal });
    await expect(rendering).rejects.toThrow('enough');
    clearInterval(clock);
  });

  it('does nothing once the signal is aborted', async () => {
    const rendering = withRenderThread(() => chat('{{ 1 }}'), {
      signal: AbortSignal.abort(new Error('over')),
    });
    await expect(rendering).rejects.toThrow('over');
  });

  it('says which limit a rendering passes in its thread', async () => {
    const rendering = withRenderThread(() => chat(endless, { steps: 500_000 }));
    await expect(rendering).rejects.toThrow(InputError);
    await expect(withRenderThread(() => chat(endless, { milliseconds: 300, steps: 1e9 }))).rejects.toThrow(
      /longer than 300 ms \(limit: milliseconds\)/,
    );
  });

  it('hands on what a template says when it refuses, and how it cannot be parsed', async () => {
    const refusing = long.replace('!', "{{ raise_exception('No ' ~ messages[0].role) }}");
    await expect(withRenderThread(() => chat(refusing))).rejects.toThrow(/refuses these messages: No user/);
    await expect(withRenderThread(() => chat('{% if %}'))).rejects.toThrow(ConfigError);
  });

  it('lets errors of the action through', async () => {
    const failing = withRenderThread(() => {
      throw new TypeError('a mistake');
    });
    await expect(failing).rejects.toThrow(TypeError);
  });
});
