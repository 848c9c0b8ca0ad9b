import { evaluateRule } from './cel.ts';

/** The part of a CRD's schema that ours uses. */
export interface Schema {
  readonly type?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-validations'?: readonly Rule[];
}

export interface Rule {
  readonly rule: string;
  readonly message: string;
}

export interface Checked {
  /** With the defaults filled in, as the API server does before anyone reads. */
  readonly value: unknown;
  /** What is wrong, each with its place; empty when nothing is. */
  readonly problems: readonly string[];
}

/** Checks as the API server would with `kubectl apply`, which refuses unknown fields. Rules in `waived` are not asked. */
export function checkAgainst(schema: Schema, value: unknown, waived: ReadonlySet<string>): Checked {
  const problems: string[] = [];
  const filled = check(schema, value, '', { problems, waived });
  return { value: filled, problems };
}

interface Context {
  readonly problems: string[];
  readonly waived: ReadonlySet<string>;
}

function check(schema: Schema, value: unknown, path: string, context: Context): unknown {
  const { problems } = context;
  const before = problems.length;
  const wrong = typeProblem(schema, value);
  if (wrong !== undefined) {
    problems.push(`${path || 'the manifest'}: ${wrong}`);
    return value;
  }
  if (typeof value === 'string' || typeof value === 'number') checkScalar(schema, value, path, problems);
  const filled = checkParts(schema, value, path, context);
  // A rule speaks of a value that fits the schema; on another it would only add noise.
  if (problems.length === before) checkRules(schema, filled, path, context);
  return filled;
}

function typeProblem(schema: Schema, value: unknown): string | undefined {
  if (schema['x-kubernetes-int-or-string'] === true) {
    return typeof value === 'string' || Number.isInteger(value) ? undefined : 'must be a whole number or a text';
  }
  switch (schema.type) {
    case 'object':
      return isObject(value) ? undefined : 'must have fields of its own';
    case 'array':
      return Array.isArray(value) ? undefined : 'must be a list';
    case 'string':
      return typeof value === 'string' ? undefined : `must be a text: write ${JSON.stringify(String(value))} in quotes`;
    case 'integer':
      return Number.isInteger(value) ? undefined : 'must be a whole number';
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'must be true or false';
    default:
      return undefined;
  }
}

function checkScalar(schema: Schema, value: string | number, path: string, problems: string[]): void {
  const { enum: choices, minimum, maximum, minLength, maxLength } = schema;
  if (choices !== undefined && !choices.includes(value)) problems.push(`${path}: must be one of ${choices.join(', ')}`);
  if (typeof value === 'number') {
    if (minimum !== undefined && value < minimum) problems.push(`${path}: must be ${minimum} at least`);
    if (maximum !== undefined && value > maximum) problems.push(`${path}: must be ${maximum} at most`);
    return;
  }
  if (minLength !== undefined && value.length < minLength) problems.push(`${path}: must not be empty`);
  if (maxLength !== undefined && value.length > maxLength) {
    problems.push(`${path}: may have ${maxLength} characters at most`);
  }
}

function checkParts(schema: Schema, value: unknown, path: string, context: Context): unknown {
  if (Array.isArray(value)) {
    const { items, minItems, maxItems } = schema;
    if (minItems !== undefined && value.length < minItems) context.problems.push(`${path}: must not be empty`);
    if (maxItems !== undefined && value.length > maxItems) context.problems.push(`${path}: ${maxItems} are the most`);
    return items === undefined ? value : value.map((one, index) => check(items, one, `${path}[${index}]`, context));
  }
  if (!isObject(value)) return value;
  const { properties, additionalProperties, maxProperties } = schema;
  const names = Object.keys(value);
  if (maxProperties !== undefined && names.length > maxProperties) {
    context.problems.push(`${path}: ${maxProperties} are the most`);
  }
  if (additionalProperties !== undefined) {
    return Object.fromEntries(
      names.map((name) => [name, check(additionalProperties, value[name], placeOf(path, name), context)]),
    );
  }
  return properties === undefined ? value : checkFields(schema, properties, value, path, context);
}

function checkFields(
  schema: Schema,
  properties: Readonly<Record<string, Schema>>,
  value: Readonly<Record<string, unknown>>,
  path: string,
  context: Context,
): Record<string, unknown> {
  for (const name of Object.keys(value)) {
    if (Object.hasOwn(properties, name)) continue;
    context.problems.push(`unknown field "${placeOf(path, name)}": there are ${Object.keys(properties).join(', ')}`);
  }
  const filled: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(properties)) {
    const said = Object.hasOwn(value, name) ? (value[name] ?? undefined) : undefined;
    const given = said ?? structuredClone(property.default);
    if (given !== undefined) filled[name] = check(property, given, placeOf(path, name), context);
    else if (schema.required?.includes(name)) context.problems.push(`${placeOf(path, name)}: is missing`);
  }
  return filled;
}

function checkRules(schema: Schema, value: unknown, path: string, { problems, waived }: Context): void {
  for (const { rule, message } of schema['x-kubernetes-validations'] ?? []) {
    if (waived.has(rule) || isTransition(rule)) continue;
    if (!evaluateRule(rule, value))
      problems.push(path === '' || message.includes(path) ? message : `${path}: ${message}`);
  }
}

/** A rule about a change has nothing to say where there is no earlier version. */
export function isTransition(rule: string): boolean {
  return /\boldSelf\b/.test(rule);
}

function placeOf(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
