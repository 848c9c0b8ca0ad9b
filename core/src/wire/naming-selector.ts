import { decodeComponent } from '../http/form.ts';
import { badRequest } from '../http/protocol-error.ts';
import { NO_SELECTOR, type Selector } from '../model/service.ts';
import { parseObject } from './naming-metadata.ts';

export const SELECTOR_CHARS_MAX = 4096;

/** Of a question for services: those that have, or one of whose instances has, this in its metadata. */
export interface ListSelector {
  readonly of: 'instance' | 'service';
  readonly key: string;
  readonly value: string;
}

/** Blank is none. The Java client escapes it twice, so it is unescaped once more when it starts with an escape. */
export function decodeSelector(text: string): Selector {
  const object = selectorObject(text);
  if (object === undefined || object.type === 'none') return NO_SELECTOR;
  if (object.type !== 'label') throw badRequest('not match any type of selector!');
  const expression = object.expression ?? '';
  if (typeof expression !== 'string') throw badRequest('parse expression failed!');
  return { type: 'label', expression, labels: labelsOf(expression) };
}

export function encodeSelector(selector: Selector): string {
  return JSON.stringify(selector);
}

/** Undefined when it selects nothing away. */
export function decodeListSelector(text: string): ListSelector | undefined {
  const object = selectorObject(text);
  if (object === undefined || object.type === 'none') return undefined;
  if (object.type !== 'label') throw badRequest('not match any type of selector!');
  if (typeof object.expression !== 'string') throw badRequest('parse expression failed!');
  const expression = object.expression.replace(/\s/g, '');
  if (expression === '') return undefined;
  const [left, right, ...more] = expression.split('=');
  const named = /^(INSTANCE|SERVICE)\.(?:.*\.)?([^.]+)$/.exec(left ?? '');
  if (named === null || right === undefined || more.length > 0) throw badRequest('parse expression failed!');
  return {
    of: named[1] === 'INSTANCE' ? 'instance' : 'service',
    key: named[2] ?? '',
    value: right.replace(/['"]/g, ''),
  };
}

function selectorObject(text: string): Record<string, unknown> | undefined {
  if (text === '') return undefined;
  if (text.length > SELECTOR_CHARS_MAX) throw badRequest(`selector is longer than ${SELECTOR_CHARS_MAX} characters`);
  const object = parseObject(text.startsWith('%') ? decodeComponent(text, 'utf-8', 'selector') : text);
  if (object === undefined) throw badRequest('not match any type of selector!');
  return object;
}

/** `CONSUMER.label.A = PROVIDER.label.A & …`: both sides of each part name one label. */
function labelsOf(expression: string): string[] {
  const text = expression.replace(/\s/g, '');
  if (text === '') return [];
  const labels = new Set<string>();
  for (const part of text.split('&')) {
    const label = /^CONSUMER\.label\.([^.=]+)=PROVIDER\.label\.\1$/.exec(part)?.[1];
    if (label === undefined) throw badRequest('parse expression failed!');
    labels.add(label);
  }
  return [...labels];
}
