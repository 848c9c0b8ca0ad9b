import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpRequest } from '@nacos-kube/core/host/host.ts';
import { DEFAULT_SWITCHES, type SwitchValues } from '@nacos-kube/core/model/switches.ts';
import { TrafficGate } from './traffic-gate.ts';

const LIST = '/nacos/v1/ns/instance/list?serviceName=a';

function ask(switches: Partial<SwitchValues>, target: string, method = 'GET', agent?: string): string {
  const gate = new TrafficGate('/nacos', { current: { ...DEFAULT_SWITCHES, ...switches } });
  const [path = '', query = ''] = target.split('?');
  const headers = agent === undefined ? {} : { 'user-agent': agent };
  const request = { method, path, query, headers } as HttpRequest;
  const answer = gate.isShut ? gate.refuse(request) : undefined;
  return answer === undefined ? 'passes' : `${answer.status} ${answer.body}`.trim();
}

test('nothing is turned away while nothing is switched, nor while the status is said to be up', () => {
  assert.equal(ask({}, LIST), 'passes');
  assert.equal(ask({ overriddenServerStatus: 'UP' }, LIST, 'POST'), 'passes');
  assert.equal(new TrafficGate('', { current: DEFAULT_SWITCHES }).isShut, false);
});

const refused = (status: string) => `503 server is ${status}now, please try again later!`;
for (const [status, get, post] of [
  ['DOWN', refused('DOWN'), refused('DOWN')],
  ['STARTING', refused('STARTING'), refused('STARTING')],
  ['PAUSED', refused('PAUSED'), refused('PAUSED')],
  ['READ_ONLY', 'passes', refused('READ_ONLY')],
  ['WRITE_ONLY', refused('WRITE_ONLY'), 'passes'],
] as const) {
  test(`what passes while the status is said to be ${status}`, () => {
    const switches = { overriddenServerStatus: status };
    assert.deepEqual([ask(switches, LIST), ask(switches, LIST, 'POST')], [get, post]);
    assert.equal(ask(switches, LIST, 'DELETE', 'Nacos-Server:1.4.8'), 'passes');
    for (const outside of ['/nacos/v1/cs/configs?dataId=a', '/nacos/v1/console/health/liveness', '/v1/ns/instance']) {
      assert.equal(ask(switches, outside, 'POST'), 'passes');
    }
  });
}

test('a limit is a prefix of the whole target', () => {
  const limitedUrlMap = new Map([[LIST, 429]]);
  assert.equal(ask({ limitedUrlMap }, LIST), '429');
  assert.equal(ask({ limitedUrlMap }, `${LIST}bc`), '429');
  assert.equal(ask({ limitedUrlMap }, LIST, 'GET', 'Nacos-Server:1.4.8'), '429');
  assert.equal(ask({ limitedUrlMap }, '/nacos/v1/ns/instance/list?serviceName=b'), 'passes');
});

test('who shut the gate can open it', () => {
  for (const switches of [{ limitedUrlMap: new Map([['/', 503]]) }, { overriddenServerStatus: 'DOWN' }]) {
    for (const path of ['/v1/ns/operator/switches', '/v1/ns/operator/switches/', '/v1/ns/ops/switches']) {
      assert.equal(ask(switches, `/nacos${path}?entry=a`, 'PUT'), 'passes');
    }
    assert.notEqual(ask(switches, '/nacos/v1/ns/operator/switches2', 'PUT'), 'passes');
  }
});
