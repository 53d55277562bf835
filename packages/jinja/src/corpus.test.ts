import { readFileSync } from 'node:fs';
import { ConfigError, InputError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { compileTemplate, markText } from './index.js';

/** A template with the text that Jinja2 3.1.6 renders, or null and the exception that it raises. */
type Case = readonly [template: string, text: string | null, error?: string];

interface Corpus {
  readonly values: Readonly<Record<string, unknown>>;
  readonly cases: readonly Case[];
}

interface Conversations {
  readonly tokens: Readonly<Record<string, string>>;
  readonly conversations: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** By template and conversation: without and with the beginning of an answer; null where an exception is raised. */
  readonly answers: Readonly<Record<string, Readonly<Record<string, readonly (string | null)[]>>>>;
}

const read = (name: string): string =>
  readFileSync(new URL(`./__fixtures__/${name}`, import.meta.url), 'utf8');

/** The rendered text, or null where a typed error is raised. */
function rendered(template: string, variables: Readonly<Record<string, unknown>>): string | null {
  try {
    return compileTemplate(template)
      .render(variables)
      .map(({ text }) => text)
      .join('');
  } catch (error) {
    if (error instanceof ConfigError || error instanceof InputError) return null;
    throw error;
  }
}

describe.each(['snippets.json', 'random.json'])('of %s', (file) => {
  const { values, cases } = JSON.parse(read(file)) as Corpus;
  const wrongWith = (variables: Readonly<Record<string, unknown>>): object[] =>
    cases.flatMap(([template, text, error]) => {
      const found = rendered(template, variables);
      return found === text ? [] : [{ template, found, expected: text ?? error }];
    });

  it('every snippet is rendered as Jinja2 renders it, and refused where Jinja2 raises an exception', () => {
    expect(cases.length).toBeGreaterThan(1000);
    expect(wrongWith(values)).toEqual([]);
  });

  it('every snippet is rendered the same where all texts are marked', () => {
    const marked = Object.entries(values).map(([name, value]) => [name, markText(value)] as const);
    expect(wrongWith(Object.fromEntries(marked))).toEqual([]);
  });
});

describe('chat templates of published families', () => {
  const { tokens, conversations, answers } = JSON.parse(read('conversations.json')) as Conversations;

  it.each(Object.entries(answers))('%s renders every conversation as Jinja2 does', (name, expected) => {
    const template = read(`templates/${name}.jinja`);
    const found = Object.fromEntries(
      Object.entries(conversations).map(([conversation, given]) => [
        conversation,
        [false, true].map((add_generation_prompt) =>
          rendered(template, { ...tokens, tools: null, documents: null, ...given, add_generation_prompt }),
        ),
      ]),
    );
    expect(found).toEqual(expected);
  });
});
