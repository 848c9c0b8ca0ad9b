import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Metric, Registry } from 'prom-client';
import { MAX_WINDOW_MS, RequestFigures } from './requests.ts';

function start() {
  let nowMs = 0;
  const figures = new RequestFigures(() => nowMs);
  const registry = new Registry();
  for (const collector of figures.collectors()) registry.registerMetric(collector as unknown as Metric<string>);
  const samples = async (name: string) =>
    [...(await registry.metrics()).matchAll(new RegExp(`^${name}(\\{.*)$`, 'gm'))].map(([, sample]) => sample);
  const setNow = (ms: number) => {
    nowMs = ms;
  };
  return { figures, samples, page: () => registry.metrics(), setNow };
}

test('answers are counted and timed by method, outcome, status and route', async () => {
  const { figures, samples, page } = start();
  figures.observe('/a', 'GET', 200, 250);
  figures.observe('/a', 'GET', 200, 500);
  figures.observe('/a', 'GET', 304, 0);
  figures.observe('/a', 'PUT', 400, 0);
  figures.observe('unknown', 'GET', 503, 0);
  const a = '{method="GET",outcome="SUCCESS",status="200",uri="/a"}';
  assert.deepEqual(await samples('http_server_requests_seconds_count'), [
    `${a} 2`,
    '{method="GET",outcome="REDIRECTION",status="304",uri="/a"} 1',
    '{method="PUT",outcome="CLIENT_ERROR",status="400",uri="/a"} 1',
    '{method="GET",outcome="SERVER_ERROR",status="503",uri="unknown"} 1',
  ]);
  assert.equal((await samples('http_server_requests_seconds_sum'))[0], `${a} 0.75`);
  assert.equal((await samples('http_server_requests_seconds_max'))[0], `${a} 0.5`);
  assert.match(await page(), /# TYPE http_server_requests_seconds summary\n/);
  assert.deepEqual([figures.count('/a', 400), figures.count('/', 200), figures.count('/b', 200)], [1, 2, 0]);
});

test('methods that nobody knows share a label', async () => {
  const { figures, samples } = start();
  for (let i = 0; i < 50; i++) figures.observe('unknown', `METHOD${i}`, 404, 0);
  assert.deepEqual(await samples('http_server_requests_seconds_count'), [
    '{method="other",outcome="CLIENT_ERROR",status="404",uri="unknown"} 50',
  ]);
});

test('the longest time is that of the last one to two minutes', async () => {
  const { figures, samples, setNow } = start();
  const max = async () => Number((await samples('http_server_requests_seconds_max'))[0]!.split(' ')[1]);
  figures.observe('/a', 'GET', 200, 900);
  setNow(MAX_WINDOW_MS);
  assert.equal(await max(), 0.9);
  figures.observe('/a', 'GET', 200, 100);
  setNow(2 * MAX_WINDOW_MS);
  assert.equal(await max(), 0.1);
  setNow(4 * MAX_WINDOW_MS);
  assert.equal(await max(), 0);
});
