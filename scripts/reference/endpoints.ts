import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Covered, coverage } from '../../server/src/transcripts/coverage.ts';
import { parseTranscript } from '../../server/src/transcripts/transcript.ts';
import { code, head, table } from './markdown.ts';

const TRANSCRIPTS = 'server/src/transcripts/recorded';
const HERE = '../..';

/** The page of all endpoints of the reference: where each is shown, or why it is refused. */
export function endpointsPage(): string {
  const folder = join(import.meta.dirname, HERE, TRANSCRIPTS);
  const transcripts = readdirSync(folder)
    .sort()
    .map((file) => [file.replace('.txt', ''), parseTranscript(readFileSync(join(folder, file), 'utf8'))] as const);
  const rows = coverage(new Map(transcripts)).map(rowOf);
  return `${[
    head('Endpoints', 'server/src/transcripts'),
    [
      'Every endpoint and parameter of a Nacos 1.4 server, below the context path (`/nacos` unless it was changed). Each is',
      `shown in a transcript of [${TRANSCRIPTS}](${HERE}/${TRANSCRIPTS}): what is asked, with the good answers and the`,
      'refusals. Tests replay them against a node, and fail when an answer changes or an endpoint or a parameter is in none.',
      'Where an answer is meant to differ from Nacos is told in [docs/protocol](../protocol).',
    ].join('\n'),
    table(['call', 'parameters', 'shown in'], rows),
  ].join('\n\n')}\n`;
}

function rowOf({ endpoint, transcripts }: Covered): readonly string[] {
  const { calls, parameters, refused, shownIn, elsewhere = {} } = endpoint;
  const names = parameters.map((parameter) => {
    const [place = '', name] = parameter.split(':', 2);
    const bare = name === undefined ? code(place) : `${code(name)} (${place})`;
    const test = elsewhere[parameter];
    return test === undefined ? bare : `${bare}, in ${link(test, test)}`;
  });
  const links = transcripts.map((name) => link(name, `${TRANSCRIPTS}/${name}.txt`));
  if (shownIn !== undefined) links.push(link(shownIn.slice(shownIn.lastIndexOf('/') + 1), shownIn));
  const shown = links.join(', ');
  return [
    calls.map(code).join('<br>'),
    names.join(', '),
    refused === undefined ? shown : `not served: ${refused} (${shown})`,
  ];
}

function link(text: string, path: string): string {
  return `[${text}](${HERE}/${path})`;
}
