import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { startNode } from '../testing/operated-node.ts';
import { Metrics } from './metrics.ts';
import { RequestFigures } from './requests.ts';

const PATH = '/actuator/prometheus';

test('the page has the names that dashboards for 1.4 know', async () => {
  const { ask, get } = await startNode();
  await ask('POST', '/v1/cs/configs', { form: 'dataId=a&group=g&content=x' });
  await ask('POST', '/v1/cs/configs', { form: 'dataId=&group=g&content=x' });
  const page = await get(PATH);
  for (const sample of [
    'nacos_monitor{module="config",name="publish"} 1',
    'nacos_monitor{module="config",name="configCount"} 1',
    'nacos_monitor{module="naming",name="serviceCount"} 0',
    'nacos_exception_total{module="config",name="db"} 0',
    'nacos_exception_total{module="config",name="configNotify"} 0',
    'nacos_exception_total{module="config",name="illegalArgument"} 1',
    'nacos_exception_total{module="naming",name="disk"} 0',
    'nacos_timer_seconds_count{module="config",name="notifyRt"} 0',
    'http_server_requests_seconds_count{method="POST",outcome="SUCCESS",status="200",uri="/v1/cs/configs"} 1',
    'http_server_requests_seconds_count{method="POST",outcome="CLIENT_ERROR",status="400",uri="/v1/cs/configs"} 1',
  ]) {
    assert.equal(page.includes(`\n${sample}\n`), true, sample);
  }
  for (const name of ['nacos_timer_seconds_sum', 'nacos_timer_seconds_max', 'http_server_requests_seconds_max']) {
    assert.equal(page.includes(`\n${name}{`), true, name);
  }
});

test('whatever only grows is a counter, and says so by its name', async () => {
  const page = await (await startNode()).get(PATH);
  const types = [...page.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = '', type = '']) => ({ name, type }));
  for (const { name, type } of types) assert.equal(name.endsWith('_total'), type === 'counter', `${type} ${name}`);
  assert.equal(
    types.some(({ name }) => name === 'nacos_kube_config_publishes_total'),
    true,
  );
});

test('the machine is among the figures of a real process, and what it does not know is left out', async () => {
  const page = async (load: { cpu: number; load: number; memory: number }) => {
    const metrics = new Metrics(
      {
        monitor: { config: {}, naming: {} },
        requests: new RequestFigures(() => 0),
        exceptions: { config: {}, naming: {} },
        timers: [],
        machine: { load: () => load },
        gauges: [],
      },
      { withProcess: true },
    );
    const call = { request: undefined as never, form: new Map(), clientIp: '' };
    return String((await metrics.route().handler(call)).body);
  };
  const known = await page(new FakeHost().machine.load());
  assert.match(known, /^system_cpu_usage 0.25$/m);
  assert.match(known, /^system_load_average_1m 1.5$/m);
  assert.match(known, /^process_cpu_seconds_total /m);
  assert.doesNotMatch(await page({ cpu: -1, load: -1, memory: -1 }), /^system_\w+ /m);
});
