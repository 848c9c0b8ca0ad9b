import type { Readable } from 'node:stream';

/** Lines that end with a newline. `node:readline` ends one at U+2028 as well, which JSON leaves as it is. */
export function onLines(stream: Readable, take: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8').on('data', (text: string) => {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
  });
}
