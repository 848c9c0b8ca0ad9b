import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { HttpRequest } from '@nacos-kube/core/host/host.ts';
import { decodeForm } from '@nacos-kube/core/http/form.ts';
import { parseListening, writeListening } from '@nacos-kube/core/wire/listener.ts';
import { ConfigCache } from './cache.ts';
import { createFakeHost } from './fake-host.ts';
import { PollDriver } from './poll-driver.ts';

const POLLS = 100;
const BODY_BYTES = 500_000;

test('F20: held polls keep neither their bodies nor what was parsed from them', async () => {
  const host = createFakeHost();
  const driver = new PollDriver({ host, cache: new ConfigCache(), changed: () => [] });
  hold(driver, 0, 10);
  const before = usedBytes();
  for (let i = 0; i < POLLS; i += 1) hold(driver, i, BODY_BYTES);
  const perPoll = (usedBytes() - before) / POLLS;
  assert.equal(driver.metrics().longPolls, POLLS + 1);
  assert.ok(perPoll < 20_000, `${Math.round(perPoll)} bytes for each poll whose body had ${BODY_BYTES}`);
});

/** A body as large as asked for, nearly all of it text after the last line, which is ignored. */
function hold(driver: PollDriver, i: number, bodyBytes: number): void {
  const keys = Array.from(
    { length: 10 },
    (_, k) => [{ dataId: `d${i}-${k}`, group: 'g', namespaceId: '' }, ''] as const,
  );
  const text = `Listening-Configs=${writeListening(keys)}${'x'.repeat(bodyBytes)}`;
  const request: HttpRequest = {
    method: 'POST',
    path: '/',
    query: '',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new TextEncoder().encode(text),
    remote: { address: '10.0.0.9', port: 50_000 },
    onGone: () => undefined,
  };
  const listening = parseListening(decodeForm(request).get('Listening-Configs'));
  void driver.hold(request, { clientIp: '10.0.0.9', tag: undefined }, listening.keys(), 29_500);
}

function usedBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let i = 0; i < 3; i += 1) collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
