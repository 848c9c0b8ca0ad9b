import type { TextQuery } from './store.ts';

/** What a query means, in each form that an engine understands; all agree, as the contract suite shows. */
export function fitsText(query: TextQuery | undefined, text: string): boolean {
  if (query === undefined) return true;
  if (query.kind === 'equals') return query.text === text;
  const [first, ...rest] = query.text.split('*') as [string, ...string[]];
  if (rest.length === 0) return first === text;
  const last = rest.pop()!;
  if (first.length + last.length > text.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const piece of rest) {
    const found = text.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}

/** For `GLOB` of sqlite, which tells upper from lower case. */
export function globOf({ kind, text }: TextQuery): string {
  const escaped = text.replace(/[?[]/g, '[$&]');
  return kind === 'equals' ? escaped.replaceAll('*', '[*]') : escaped.replace(/\*+/g, '*');
}

/** For `LIKE` of MySQL, with the backslash as its escape. */
export function likeOf({ kind, text }: TextQuery): string {
  const escaped = text.replace(/[\\%_]/g, '\\$&');
  return kind === 'equals' ? escaped : escaped.replace(/\*+/g, '%');
}
