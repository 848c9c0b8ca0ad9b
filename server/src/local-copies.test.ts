import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMemoryDatabase, type MemoryDatabase } from './store/memory.ts';
import { startNode } from './testing/started-node.ts';

type Node = Awaited<ReturnType<typeof startNode>>;

const PERSISTENT = 'serviceName=stored&ip=10.0.0.1&port=80&ephemeral=false';

describe('F12: what operators and persistent instances set, while the store is away', () => {
  it('is served from the copy of an earlier run, flagged, and followed again once the store answers', async () => {
    const { database, files } = await earlierRun();
    database.faults.down = 'unavailable';
    const node = await startNode({}, database, files);
    await node.host.advance(10_000);
    assert.equal((await node.ask('GET', '/nacos/v1/console/health/readiness')).text, 'OK');
    assert.deepEqual(await shown(node), {
      instances: ['10.0.0.1'],
      threshold: 0.5,
      namespaces: ['dev'],
      pushes: false,
    });
    const { stale } = JSON.parse(await state(node));
    assert.match(stale, /this node's last copy \(service, instance, namespace, switch\), .*; serving the last dump, /);
    assert.equal(await metric(node, 'records_stale'), 1);
    assert.equal(await metric(node, 'records_copied'), 4);
    const written = await node.ask(
      'POST',
      '/nacos/v1/ns/instance?serviceName=other&ip=10.0.0.9&port=1&ephemeral=false',
    );
    assert.ok(written.status >= 500, `${written.status}`);

    database.faults.down = undefined;
    const other = await startNode({}, database);
    await other.ask('DELETE', `/nacos/v1/ns/instance?${PERSISTENT}`);
    await other.ask('POST', '/nacos/v1/ns/instance?serviceName=stored&ip=10.0.0.2&port=80&ephemeral=false');
    await other.ask('DELETE', '/nacos/v1/console/namespaces?namespaceId=dev');
    await node.host.advance(15_000);
    assert.deepEqual(await shown(node), { instances: ['10.0.0.2'], threshold: 0.5, namespaces: [], pushes: false });
    assert.equal(JSON.parse(await state(node)).stale, undefined);
    assert.equal(await metric(node, 'records_stale'), 0);
    assert.equal(await metric(node, 'records_copied'), 0);
    // And so is what the next run will find.
    await node.host.advance(5_000);
    const copy = node.host.disk.files.get('/data/records/instance')!;
    assert.ok(copy.includes('10.0.0.2') && !copy.includes('10.0.0.1'));
  });

  it('is not served when its copy is damaged or was never whole', async () => {
    const { database, files } = await earlierRun();
    database.faults.down = 'unavailable';
    const path = '/data/records/instance';
    const whole = files.get(path)!;
    const damaged = [
      whole.slice(0, -10),
      whole.replace('10.0.0.1', '10.0.0.7'),
      whole.replace('instance', 'service'),
      '',
    ];
    for (const content of damaged) {
      const node = await startNode({}, database, new Map([...files, [path, content]]));
      await node.host.advance(10_000);
      assert.match((await node.ask('GET', '/nacos/v1/console/health/readiness')).text, /persistent instances are not/);
      assert.equal(await metric(node, 'records_copy_damaged_total'), 1);
      assert.equal((await node.ask('GET', '/nacos/v1/ns/instance/list?serviceName=stored')).status, 503);
    }
  });

  it('never stands over what the store says', async () => {
    const { database, files } = await earlierRun();
    const other = await startNode({}, database);
    await other.ask('DELETE', `/nacos/v1/ns/instance?${PERSISTENT}`);
    const node = await startNode({}, database, files);
    await node.host.advance(15_000);
    assert.deepEqual((await shown(node)).instances, []);
    assert.equal(await metric(node, 'records_copied'), 0);
  });
});

it('F14: a full disk costs the copy, not the service, and is told by a metric until it takes writes again', async () => {
  const node = await startNode();
  await node.host.advance(5_000);
  node.host.disk.fault = 'full';
  assert.equal((await node.ask('POST', `/nacos/v1/ns/instance?${PERSISTENT}`)).text, 'ok');
  await node.host.advance(20_000);
  assert.equal(await metric(node, 'records_copy_failing'), 1);
  assert.ok((await metric(node, 'records_copy_failures_total')) >= 2);
  assert.deepEqual((await shown(node)).instances, ['10.0.0.1']);
  const told = node.host.log.lines.filter((line) => line.includes('copy of records cannot be written'));
  assert.ok(told.length >= 1 && told.length <= 4, told.join('\n'));
  node.host.disk.fault = undefined;
  await node.host.advance(10_000);
  assert.equal(await metric(node, 'records_copy_failing'), 0);
  assert.ok(node.host.disk.files.get('/data/records/instance')!.includes('10.0.0.1'));
});

it('many changes are few writes of the copy', async () => {
  const node = await startNode();
  await node.host.advance(5_000);
  const before = await metric(node, 'records_copy_writes_total');
  for (let i = 0; i < 100; i += 1) {
    await node.ask('POST', `/nacos/v1/ns/instance?serviceName=many&ip=10.0.1.${i}&port=80&ephemeral=false`);
  }
  await node.host.advance(5_000);
  const writes = (await metric(node, 'records_copy_writes_total')) - before;
  assert.ok(writes >= 1 && writes <= 10, `${writes}`);
});

async function earlierRun(): Promise<{ database: MemoryDatabase; files: ReadonlyMap<string, string> }> {
  const database = createMemoryDatabase();
  const node = await startNode({}, database);
  const asks: readonly [string, string][] = [
    ['POST', '/nacos/v1/ns/service?serviceName=stored&protectThreshold=0.5'],
    ['POST', `/nacos/v1/ns/instance?${PERSISTENT}`],
    ['POST', '/nacos/v1/console/namespaces?customNamespaceId=dev&namespaceName=Dev&namespaceDesc=d'],
    ['PUT', '/nacos/v1/ns/operator/switches?entry=pushEnabled&value=false'],
  ];
  for (const [method, target] of asks) assert.equal((await node.ask(method, target)).status, 200, target);
  const stopped = node.server.lifecycle.stop();
  await node.host.advance(30_000);
  await stopped;
  return { database, files: new Map(node.host.disk.files) };
}

async function shown(node: Node) {
  const json = async (target: string) => JSON.parse((await node.ask('GET', target)).text);
  const { hosts } = await json('/nacos/v1/ns/instance/list?serviceName=stored');
  const { data } = await json('/nacos/v1/console/namespaces');
  return {
    instances: (hosts as { ip: string }[]).map(({ ip }) => ip),
    threshold: (await json('/nacos/v1/ns/service?serviceName=stored')).protectThreshold as number,
    namespaces: (data as { namespace: string }[]).map(({ namespace }) => namespace).filter((id) => id !== ''),
    pushes: (await json('/nacos/v1/ns/operator/switches')).pushEnabled as boolean,
  };
}

async function state(node: Node): Promise<string> {
  return (await node.ask('GET', '/nacos/v1/console/server/state')).text;
}

async function metric(node: Node, name: string): Promise<number> {
  const { text } = await node.ask('GET', '/nacos/actuator/prometheus');
  const line = new RegExp(`^nacos_kube_${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text);
  assert.ok(line !== null, `no ${name} in ${text.slice(0, 300)}`);
  return Number(line[1]);
}
