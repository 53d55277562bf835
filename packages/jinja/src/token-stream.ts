import { tokenize, type Token } from './lexer.js';
import { SyntaxProblem } from './py-error.js';

/** Tags and parentheses within each other. */
const deepestNesting = 150;

/** The tokens of a template, one after another. */
export class TokenStream {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(template: string) {
    this.#tokens = tokenize(template);
  }

  get current(): Token {
    return this.#token(0);
  }

  /** The token after the current one. */
  get following(): Token {
    return this.#token(1);
  }

  #token(ahead: number): Token {
    const token = this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)];
    if (!token) throw new SyntaxProblem('Unexpected end of template', 1);
    return token;
  }

  /** Takes the current token. */
  next(): Token {
    const token = this.current;
    this.#at++;
    return token;
  }

  isOperator(...texts: readonly string[]): boolean {
    return this.current.kind === 'operator' && texts.includes(this.current.text);
  }

  isName(...names: readonly string[]): boolean {
    return this.current.kind === 'name' && names.includes(this.current.text);
  }

  skipOperator(text: string): boolean {
    if (!this.isOperator(text)) return false;
    this.#at++;
    return true;
  }

  skipName(name: string): boolean {
    if (!this.isName(name)) return false;
    this.#at++;
    return true;
  }

  expectOperator(text: string): void {
    if (!this.skipOperator(text)) this.fail(`expected token '${text}', got ${this.describe()}`);
  }

  expectName(name?: string): Token {
    if (this.current.kind !== 'name' || (name !== undefined && this.current.text !== name))
      this.fail(`expected token '${name ?? 'name'}', got ${this.describe()}`);
    return this.next();
  }

  /** Takes the end of a tag. */
  expectEnd(kind: 'block_end' | 'variable_end'): void {
    if (this.current.kind !== kind) {
      const expected = kind === 'block_end' ? 'end of statement block' : 'end of print statement';
      this.fail(`expected token '${expected}', got ${this.describe()}`);
    }
    this.#at++;
  }

  describe(): string {
    const { kind, text } = this.current;
    if (kind === 'eof') return "'end of template'";
    return `'${kind === 'name' || kind === 'operator' ? text : kind}'`;
  }

  fail(message: string, line = this.current.line): never {
    throw new SyntaxProblem(message, line);
  }

  /** Parses what stands one level deeper. */
  nested<Result>(parse: () => Result): Result {
    if (++this.#depth > deepestNesting)
      this.fail(`more than ${deepestNesting} levels stand within each other`);
    const result = parse();
    this.#depth--;
    return result;
  }
}
