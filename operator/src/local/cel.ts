import { quantityBytes } from '../plan/quantity.ts';

/**
 * The part of the Common Expression Language that the rules of our CRD use, so that `up` refuses what the API server
 * refuses, with the same words. What it does not know it throws on; a test evaluates every rule of the CRD.
 */
export function evaluateRule(rule: string, self: unknown): boolean {
  const parser = new Parser(tokensOf(rule));
  const result = parser.parse()(new Map([['self', self]]));
  if (typeof result !== 'boolean') throw new Error(`the rule is no condition: ${rule}`);
  return result;
}

type Scope = ReadonlyMap<string, unknown>;
type Expression = (scope: Scope) => unknown;

const TOKEN = /\s*(?:([A-Za-z_]\w*)|(\d+)|'((?:[^'\\]|\\.)*)'|(&&|\|\||[=!<>]=|[!<>.,()[\]]))/y;

interface Token {
  readonly kind: 'name' | 'value' | 'sign';
  readonly text: string;
  readonly value?: string | number;
}

function tokensOf(rule: string): Token[] {
  const text = rule.trimEnd();
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw new Error(`the rule cannot be read at ${JSON.stringify(text.slice(at))}`);
    const [, name, number, string, sign] = match;
    if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else if (number !== undefined) tokens.push({ kind: 'value', text: number, value: Number(number) });
    else if (string !== undefined) tokens.push({ kind: 'value', text: string, value: unescaped(string) });
    else tokens.push({ kind: 'sign', text: sign as string });
  }
  return tokens;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char === 't' ? '\t' : char));
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): Expression {
    const expression = this.#or();
    if (this.#at < this.#tokens.length) throw new Error(`unexpected ${this.#tokens[this.#at]?.text} in a rule`);
    return expression;
  }

  #or(): Expression {
    let left = this.#and();
    while (this.#take('||')) {
      const [first, second] = [left, this.#and()];
      left = (scope) => first(scope) === true || second(scope) === true;
    }
    return left;
  }

  #and(): Expression {
    let left = this.#relation();
    while (this.#take('&&')) {
      const [first, second] = [left, this.#relation()];
      left = (scope) => first(scope) === true && second(scope) === true;
    }
    return left;
  }

  #relation(): Expression {
    const left = this.#unary();
    for (const [sign, compare] of RELATIONS) {
      if (!this.#take(sign)) continue;
      const right = this.#unary();
      return (scope) => compare(left(scope), right(scope));
    }
    return left;
  }

  #unary(): Expression {
    if (!this.#take('!')) return this.#member();
    const operand = this.#unary();
    return (scope) => !operand(scope);
  }

  #member(): Expression {
    let value = this.#primary();
    for (;;) {
      const of = value;
      if (this.#take('.')) {
        const name = this.#name();
        value = this.#take('(') ? this.#method(of, name) : (scope) => fieldOf(of(scope), name);
      } else if (this.#take('[')) {
        const key = this.#or();
        this.#expect(']');
        value = (scope) => fieldOf(of(scope), String(key(scope)));
      } else {
        return value;
      }
    }
  }

  #primary(): Expression {
    const token = this.#next();
    if (token.kind === 'value') return () => token.value;
    if (token.text === '(') {
      const inner = this.#or();
      this.#expect(')');
      return inner;
    }
    if (token.text === '[') {
      const items = this.#list(']');
      return (scope) => items.map((item) => item(scope));
    }
    if (token.kind !== 'name') throw new Error(`unexpected ${token.text} in a rule`);
    if (token.text === 'true' || token.text === 'false') return () => token.text === 'true';
    if (this.#take('(')) return this.#call(token.text);
    return (scope) => {
      if (!scope.has(token.text)) throw new Error(`unknown name ${token.text} in a rule`);
      return scope.get(token.text);
    };
  }

  #call(name: string): Expression {
    const [argument, ...rest] = this.#list(')');
    if (argument === undefined || rest.length > 0) throw new Error(`${name}() takes one argument`);
    switch (name) {
      case 'has':
        return (scope) => argument(scope) !== undefined;
      case 'isQuantity':
        return (scope) => quantityBytes(String(argument(scope))) !== undefined;
      case 'quantity':
        return (scope) => quantityBytes(String(argument(scope)));
      default:
        throw new Error(`unknown function ${name}() in a rule`);
    }
  }

  #method(of: Expression, name: string): Expression {
    if (name === 'all') {
      const variable = this.#name();
      this.#expect(',');
      const condition = this.#or();
      this.#expect(')');
      return (scope) => keysOf(of(scope)).every((key) => condition(new Map([...scope, [variable, key]])) === true);
    }
    const method = METHODS.get(name);
    if (method === undefined) throw new Error(`unknown method ${name}() in a rule`);
    const [argument] = this.#list(')');
    return (scope) => method(of(scope), argument?.(scope));
  }

  #list(end: string): Expression[] {
    const items: Expression[] = [];
    while (!this.#take(end)) {
      if (items.length > 0) this.#expect(',');
      items.push(this.#or());
    }
    return items;
  }

  #next(): Token {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new Error('a rule ends too early');
    return token;
  }

  #name(): string {
    const token = this.#next();
    if (token.kind !== 'name') throw new Error(`a name was expected in a rule, not ${token.text}`);
    return token.text;
  }

  #take(sign: string): boolean {
    const token = this.#tokens[this.#at];
    // `in` is a name by its looks.
    const isIt = token?.text === sign && token.kind !== 'value';
    if (isIt) this.#at++;
    return isIt;
  }

  #expect(sign: string): void {
    if (!this.#take(sign)) throw new Error(`${sign} was expected in a rule`);
  }
}

const RELATIONS: readonly (readonly [string, (left: unknown, right: unknown) => boolean])[] = [
  ['==', (left, right) => left === right],
  ['!=', (left, right) => left !== right],
  ['<=', (left, right) => Number(left) <= Number(right)],
  ['>=', (left, right) => Number(left) >= Number(right)],
  ['<', (left, right) => Number(left) < Number(right)],
  ['>', (left, right) => Number(left) > Number(right)],
  ['in', (left, right) => Array.isArray(right) && right.includes(left)],
];

const METHODS = new Map<string, (of: unknown, argument: unknown) => unknown>([
  ['size', (of: unknown) => (typeof of === 'string' ? [...of].length : keysOf(of).length)],
  ['matches', (of: unknown, pattern: unknown) => new RegExp(String(pattern)).test(String(of))],
  ['contains', (of: unknown, part: unknown) => String(of).includes(String(part))],
  ['startsWith', (of: unknown, part: unknown) => String(of).startsWith(String(part))],
  ['endsWith', (of: unknown, part: unknown) => String(of).endsWith(String(part))],
  ['isGreaterThan', (of: unknown, other: unknown) => Number(of) > Number(other)],
]);

function fieldOf(value: unknown, name: string): unknown {
  const isObject = typeof value === 'object' && value !== null;
  return isObject && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

function keysOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
}
