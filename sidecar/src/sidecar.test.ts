import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeMemberList } from '@nacos-kube/core/model/member-list.ts';
import { FakeHost, httpAnswer } from '@nacos-kube/core/testing/fake-host.ts';
import { FakeSecure } from '@nacos-kube/core/testing/fake-secure.ts';
import type { SidecarSettings } from './settings/read.ts';
import { createSidecar } from './sidecar.ts';

const LIST = encodeMemberList({ generation: 7, members: ['a:8848', 'b:8848'] });

const SETTINGS: SidecarSettings = {
  member: 'a:8848',
  nodePort: 8848,
  memberList: '/run/cluster.conf',
  tokenFile: '/run/sidecar-token',
  source: { kind: 'file', file: '/source/members.conf' },
  listen: '127.0.0.1',
  metricsPort: 9100,
  probeIntervalMs: 5_000,
  probeTimeoutMs: 500,
  mysqlChecks: false,
  logLevel: 'info',
  logFormat: 'text',
};

async function running() {
  const host = new FakeHost();
  const sidecar = createSidecar(host, new FakeSecure(), SETTINGS);
  await sidecar.start();
  await host.advance(0);
  const get = async (path: string) => {
    const { status, body } = await host.network.ask(9100, path);
    return { status, body: String(body) };
  };
  return { host, sidecar, get };
}

test('the token is there before anything can go wrong, and ready means that cluster.conf is written', async () => {
  const { host, sidecar, get } = await running();
  assert.ok(host.disk.files.has('/run/sidecar-token'));
  assert.equal((await get('/readyz')).status, 503);
  assert.equal((await get('/healthz')).status, 200);
  host.disk.put('/source/members.conf', LIST);
  await host.advance(0);
  assert.equal(host.disk.files.get('/run/cluster.conf'), LIST);
  assert.equal((await get('/readyz')).status, 200);
  await sidecar.stop();
});

test('metrics without a node say that it is not up, and nothing about peers', async () => {
  const { sidecar, get } = await running();
  const { body } = await get('/metrics');
  assert.match(body, /^nacos_kube_node_up\{member="a:8848"\} 0$/m);
  assert.doesNotMatch(body, /^nacos_kube_member_state\{/m);
  assert.match(body, /^nacos_kube_probe_results_total\{kind="HTTP",result="timeout"\} 0$/m);
  await sidecar.stop();
});

test('metrics tell member state, sync lag, lists and probes as the node sees them', async () => {
  const { host, sidecar, get } = await running();
  host.disk.put('/source/members.conf', LIST);
  host.network.answer = ({ path }) =>
    httpAnswer(
      path !== '/sidecar/v1/lease'
        ? {}
        : {
            member: 'a:8848',
            isReady: true,
            memberList: { generation: 6, hash: '', refusal: 'it lacks this node' },
            members: [
              { address: 'a:8848', state: 'UP' },
              { address: 'b:8848', state: 'SUSPICIOUS' },
            ],
            lag: [{ peer: 'b:8848', seconds: 1.5, entries: 20 }],
            targets: {
              ...{ epoch: 'e', version: 1, base: 1, isFresh: true, isMore: false, count: 1 },
              put: [{ service: 's', key: 'k', ip: '10.0.0.1', port: 80, check: { kind: 'TCP' }, healthy: true }],
            },
            guard: { forbidden: [], isLoopbackAllowed: false },
          },
    );
  await host.advance(12_000);
  const { body } = await get('/metrics');
  for (const line of [
    'nacos_kube_node_up{member="a:8848"} 1',
    'nacos_kube_node_ready{member="a:8848"} 1',
    'nacos_kube_member_state{member="a:8848",peer="b:8848",state="SUSPICIOUS"} 1',
    'nacos_kube_member_state{member="a:8848",peer="b:8848",state="UP"} 0',
    'nacos_kube_sync_lag_seconds{member="a:8848",peer="b:8848"} 1.5',
    'nacos_kube_sync_lag_entries{member="a:8848",peer="b:8848"} 20',
    'nacos_kube_member_list_generation{member="a:8848",where="file"} 7',
    'nacos_kube_member_list_generation{member="a:8848",where="node"} 6',
    'nacos_kube_member_list_refused{member="a:8848"} 1',
    'nacos_kube_probe_targets 1',
  ]) {
    assert.ok(body.includes(`${line}\n`), `${line} in\n${body}`);
  }
  assert.match(body, /^nacos_kube_probe_verdicts_sent_total [1-9]/m);
  assert.match(body, /^nacos_kube_probe_results_total\{kind="TCP",result="down"\} [1-9]/m);
  assert.match(body, /^nacos_kube_probe_duration_seconds_count\{kind="TCP"\} [1-9]/m);
  await sidecar.stop();
});

test('only what is meant to be asked is answered', async () => {
  const { sidecar, get } = await running();
  assert.equal((await get('/')).status, 404);
  assert.equal((await get('/sidecar/v1/lease')).status, 404);
  await sidecar.stop();
});
