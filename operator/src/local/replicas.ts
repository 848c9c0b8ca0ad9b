import { isDeepStrictEqual } from 'node:util';
import { loadAll } from 'js-yaml';
import { KIND } from '../generated/nacos-cluster.ts';

/** Places tried; a manifest is a page, not a book. */
const CANDIDATES_MAX = 64;

/**
 * The manifest with another number of replicas and every other character as it was. Each place where the number may
 * stand is tried, and taken when the text then means what was asked for; undefined: no place could be found.
 */
export function withReplicasInText(text: string, replicas: number): string | undefined {
  const wanted = documentsOf(text);
  const cluster = wanted?.find((one) => (one as { kind?: unknown } | null)?.kind === KIND);
  const { spec } = (cluster ?? {}) as { spec?: Record<string, unknown> | null };
  if (typeof spec !== 'object' || spec === null) return undefined;
  spec['replicas'] = replicas;
  for (const candidate of candidates(text, replicas)) {
    if (isDeepStrictEqual(documentsOf(candidate), wanted)) return candidate;
  }
  return undefined;
}

function documentsOf(text: string): unknown[] | undefined {
  try {
    return loadAll(text);
  } catch {
    return undefined;
  }
}

function* candidates(text: string, replicas: number): Generator<string> {
  const numbers = [...text.matchAll(/(\breplicas["']?[ \t]*:[ \t]*)\d+/g)].slice(0, CANDIDATES_MAX);
  for (const { index, 0: all, 1: head = '' } of numbers) {
    yield `${text.slice(0, index)}${head}${replicas}${text.slice(index + all.length)}`;
  }
  const specs = [...text.matchAll(/^spec:[ \t]*(?:#.*)?(\r?\n)(?=( +))/gm)].slice(0, CANDIDATES_MAX);
  for (const { index, 0: all, 1: newline = '', 2: indent = '' } of specs) {
    const at = index + all.length;
    yield `${text.slice(0, at)}${indent}replicas: ${replicas}${newline}${text.slice(at)}`;
  }
}
