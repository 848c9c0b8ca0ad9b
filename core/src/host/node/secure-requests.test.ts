import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { NetworkError } from '../host.ts';
import { certificateForTests } from './certificate-for-tests.ts';
import { nodeSecureRequests } from './secure-requests.ts';

const directory = mkdtempSync(join(tmpdir(), 'nacos-kube-secure-'));
const authorityFile = join(directory, 'ca.crt');
const tokenFile = join(directory, 'token');
let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;

before(async () => {
  const { certificate, key } = certificateForTests();
  writeFileSync(authorityFile, certificate);
  writeFileSync(tokenFile, 'first-token\n');
  server = createServer({ key, cert: certificate }, (request, response) => answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

after(() => {
  server.close();
  server.closeAllConnections();
  rmSync(directory, { recursive: true });
});

const target = (path = '/') => ({
  address: '127.0.0.1',
  port: (server.address() as AddressInfo).port,
  path,
  authorityFile,
  tokenFile,
});
const getting = (path?: string) => nodeSecureRequests.get({ ...target(path), timeoutMs: 5_000, bodyBytesMax: 100 });
const reading = (onLine: (line: string) => void, silenceMs = 5_000) =>
  nodeSecureRequests.lines({ ...target(), silenceMs, lineCharsMax: 100 }, onLine);
const failsAs = (kind: string) => (error: unknown) => error instanceof NetworkError && error.kind === kind;

test('each request carries the token as the file has it by then', async () => {
  const seen: unknown[] = [];
  answer = (request, response) => {
    seen.push(request.headers.authorization, request.url);
    response.end('{}');
  };
  await getting('/a?b=c');
  writeFileSync(tokenFile, 'second-token');
  const { status, body } = await getting('/d');
  assert.deepEqual(seen, ['Bearer first-token', '/a?b=c', 'Bearer second-token', '/d']);
  assert.deepEqual([status, new TextDecoder().decode(body)], [200, '{}']);
});

test('a server that another authority vouches for is not spoken to', async () => {
  const strange = join(directory, 'strange.crt');
  writeFileSync(strange, certificateForTests().certificate);
  answer = () => assert.fail('the request must not arrive');
  const request = { ...target(), authorityFile: strange, timeoutMs: 5_000, bodyBytesMax: 100 };
  await assert.rejects(nodeSecureRequests.get(request), NetworkError);
});

test('a missing token is told by its file name', async () => {
  const request = { ...target(), tokenFile: join(directory, 'none'), timeoutMs: 5_000, bodyBytesMax: 100 };
  await assert.rejects(nodeSecureRequests.get(request), /none/);
});

test('an answer beyond the bound is refused', async () => {
  answer = (_, response) => response.end('x'.repeat(101));
  await assert.rejects(getting(), failsAs('protocol'));
});

test('a server that does not answer is given up', async () => {
  answer = () => {};
  const request = { ...target(), timeoutMs: 50, bodyBytesMax: 100 };
  await assert.rejects(nodeSecureRequests.get(request), failsAs('timeout'));
});

test('lines come one by one, whatever pieces the network made of them', async () => {
  answer = (_, response) => {
    response.write('one\ntw');
    response.end('o\nthr');
  };
  const lines: string[] = [];
  assert.equal(await reading((line) => lines.push(line)).ended, 200);
  assert.deepEqual(lines, ['one', 'two'], 'the cut third one is not told');
});

test('of an answer that is no 200 only the status is told', async () => {
  answer = (_, response) => response.writeHead(410).end('gone\n');
  assert.equal(await reading(() => assert.fail('no line')).ended, 410);
});

test('a stream that falls silent, that is cut or that has an endless line ends with an error', async () => {
  answer = (_, response) => response.write('one\n');
  await assert.rejects(reading(() => {}, 200).ended, failsAs('timeout'));
  answer = (request, response) => {
    response.write('one\n');
    request.socket.destroy();
  };
  await assert.rejects(reading(() => {}).ended, failsAs('reset'));
  answer = (_, response) => response.write('x'.repeat(200));
  await assert.rejects(reading(() => {}).ended, failsAs('protocol'));
});

test('a stream can be closed', async () => {
  answer = (_, response) => response.write('one\n');
  const stream = reading(() => stream.close());
  await assert.rejects(stream.ended, failsAs('closed'));
});
