import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { replay } from '../testing/replay.ts';
import { startNode } from '../testing/started-node.ts';
import { coverage } from './coverage.ts';
import { ENDPOINTS } from './endpoints.ts';
import { type Exchange, parseTranscript, printTranscript } from './transcript.ts';

/** RECORD=beats,lists (or `all`) writes the answers that are given now; the difference is read like any other change. */
const RECORDED_ANEW = new Set((process.env['RECORD'] ?? '').split(','));
const FOLDER = join(import.meta.dirname, 'recorded');

/** Routes of the public port that the reference has not, each with why it is there. */
const OURS: readonly string[] = [];

const transcripts = new Map<string, Exchange[]>();
for (const file of readdirSync(FOLDER).sort())
  transcripts.set(file.replace('.txt', ''), parseTranscript(readFileSync(join(FOLDER, file), 'utf8')));

describe('each transcript is answered as it was recorded', () => {
  for (const [name, exchanges] of transcripts)
    test(name, async () => {
      const replayed = await replay(exchanges);
      if (RECORDED_ANEW.has(name) || RECORDED_ANEW.has('all'))
        writeFileSync(join(FOLDER, `${name}.txt`), printTranscript(replayed));
      else assert.equal(printTranscript(replayed), printTranscript(exchanges));
    });
});

test('every endpoint of the reference is shown with each of its parameters, or refused', () => {
  const missing = coverage(transcripts).flatMap((one) => one.missing);
  assert.deepEqual(missing, []);
});

test('what no transcript shows is missing, be it a call, a parameter or a good answer', () => {
  const missing = (text: string) =>
    coverage(new Map([['one', parseTranscript(text)]]))
      .flatMap((one) => one.missing)
      .filter((one) => one.includes(' /v1/ns/service/checksum') || one.includes('/v1/ns/raft/peer'));
  const [put, peer] = ['PUT /v1/ns/service/checksum', 'GET /v1/ns/raft/peer'];
  assert.deepEqual(missing(''), [put, peer]);
  assert.deepEqual(missing(`> PUT /nacos/v1/ns/service/checksum?serviceName=a\n< 404\n\n> ${peer}\n< 200`), [
    put,
    peer,
  ]);
  const shown = '> PUT /nacos/v1/ns/service/checksum?serviceName=a\n< 200\n\n> GET /nacos/v1/ns/raft/peer\n< 403';
  assert.deepEqual(missing(shown), [`${put}: namespaceId`]);
});

test('every route of the public port is one of the reference', async () => {
  const known = new Set(ENDPOINTS.flatMap(({ calls }) => calls.map((call) => call.split('?', 1)[0])));
  const { server } = await startNode();
  const ours = server.publicDoor.routes.map(({ method, path }) => `${method} ${path}`).filter((one) => !known.has(one));
  assert.deepEqual(ours, OURS);
});

test('a transcript is printed as it is parsed, whatever is in its bodies', () => {
  const bodies = ['', 'a', 'a\nb', 'a\n\nb', 'end \n', '\r\n', '\u0001', '< 200', '\ud7ff', 'x\n'];
  const exchanges = bodies.map((body, i) => ({
    ...(i % 2 === 1 && { isMeanwhile: true }),
    ...{ remarks: ['one', 'two'], waitMs: 5, method: 'POST', target: '/a?b=c d', headers: { A: 'b: c' } },
    ...{ body: Buffer.from(body), answer: { status: 200, headers: {}, body: Buffer.from(body) } },
  }));
  assert.deepEqual(parseTranscript(printTranscript(exchanges)), exchanges);
});
