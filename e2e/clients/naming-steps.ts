/** The registry as clients meet it; the steps of the table build on each other, in this order. */
import assert from 'node:assert/strict';
import { delay } from '../kubernetes/processes.ts';
import type { ClientProgram, Instance } from './program.ts';
import { addresses, eventuallyEqual, GROUP, listsOf, type Stage, told, toldList } from './stage.ts';

export interface Step {
  readonly name: string;
  readonly needs?: 'listener';
  run(stage: Stage): Promise<void>;
}

interface ServicePage {
  readonly count: number;
  readonly data: readonly string[];
}

const JAVA_ONE = { ip: '10.1.0.1', port: 8081, weight: 2.5, metadata: { zone: '北京 🙂', query: 'a=b&c+d%20' } };
const NPM_ONE = { ip: '10.2.0.1', port: 8082, weight: 1, metadata: { zone: 'b' } };
const JAVA_ADDRESS = '10.1.0.1:8081';
const NPM_ADDRESS = '10.2.0.1:8082';
/** The package's first beat comes up to 10 s after a registration; without any, a TTL is over by then. */
const BEATEN_MS = 22_000;
const PUSH_TRIES = 3;
const LONG_LIST = 60;

export const NAMING_STEPS: readonly Step[] = [
  {
    name: 'both find the servers up',
    async run(stage) {
      const { java, npm } = stage;
      assert.equal(await java.call('naming.status'), 'UP');
      assert.equal(await npm.call('naming.status'), 'UP');
      stage.failedPushes = await failedPushes(stage);
    },
  },
  {
    name: 'what one registers, the other is told, with every field',
    async run(stage) {
      const { java, npm } = stage;
      const service = orders(stage);
      for (const program of stage.both) await program.call('naming.subscribe', { service, group: GROUP });
      await java.call('naming.register', { service, group: GROUP, instance: JAVA_ONE });
      for (const program of stage.both) {
        const [instance] = await toldList(program, service, [JAVA_ADDRESS]);
        assert.deepEqual(essence(instance), {
          ip: '10.1.0.1',
          port: 8081,
          weight: 2.5,
          healthy: true,
          enabled: true,
          ephemeral: true,
          clusterName: 'DEFAULT',
          serviceName: `${GROUP}@@${service}`,
          metadata: JAVA_ONE.metadata,
          instanceId: `10.1.0.1#8081#DEFAULT#${GROUP}@@${service}`,
        });
      }
      await npm.call('naming.register', { service, group: GROUP, instance: NPM_ONE });
      stage.registeredMs = performance.now();
      for (const program of stage.both) {
        const instances = await toldList(program, service, [JAVA_ADDRESS, NPM_ADDRESS]);
        const one = essence(instances.find(({ ip }) => ip === NPM_ONE.ip));
        assert.deepEqual(one, { ...one, ...NPM_ONE, healthy: true, ephemeral: true, clusterName: 'DEFAULT' });
      }
    },
  },
  {
    name: 'a change comes by UDP, to each client',
    async run(stage) {
      for (const watcher of stage.both) await provePush(stage, watcher, stage.otherThan(watcher));
    },
  },
  {
    name: 'a list that is too long for a plain packet comes by UDP too',
    async run(stage) {
      const service = stage.name('long');
      const ports = Array.from({ length: LONG_LIST }, (_, i) => 9000 + i);
      for (const program of stage.both) await program.call('naming.subscribe', { service, group: GROUP });
      const instances = ports.map((port) => ({ ip: '10.3.0.1', port, metadata: { padding: `${port}`.repeat(20) } }));
      for (const instance of instances) await stage.java.call('naming.register', { service, group: GROUP, instance });
      const expected = addresses(instances);
      for (const program of stage.both) {
        await toldList(program, service, expected);
        if (stage.target.isPushed)
          await told(`${program.name} was pushed all ${LONG_LIST}`, () =>
            pushedLists(program, service).some((hosts) => addresses(hosts).join() === expected.join()),
          );
      }
      for (const instance of instances) await stage.java.call('naming.deregister', { service, group: GROUP, instance });
      await toldList(stage.java, service, []);
    },
  },
  {
    name: 'selection leaves out what has no weight, lists leave out what is disabled',
    async run(stage) {
      const { java, npm } = stage;
      const service = orders(stage);
      const weightless = { ip: '10.1.0.2', port: 8081, weight: 0 };
      const disabled = { ip: '10.1.0.3', port: 8081, enabled: false };
      for (const instance of [weightless, disabled])
        await java.call('naming.register', { service, group: GROUP, instance });
      const all = [JAVA_ADDRESS, '10.1.0.2:8081', NPM_ADDRESS].sort();
      for (const program of stage.both) {
        await eventuallyEqual(async () => addresses(await read(program, 'instances', service)), all);
        const selected = await read(program, 'select', service, { healthy: true });
        assert.deepEqual(addresses(selected), [JAVA_ADDRESS, NPM_ADDRESS]);
        assert.deepEqual(await read(program, 'select', service, { healthy: false }), []);
      }
      await toldList(java, service, all);
      const chosen = new Set<string>();
      for (let i = 0; i < 50; i += 1) {
        const one = await java.call<Instance>('naming.selectOne', { service, group: GROUP });
        chosen.add(`${one.ip}:${one.port}`);
      }
      // Missing one of two with weights 5:2 in 50 draws has odds of one to twenty million.
      assert.deepEqual([...chosen].sort(), [JAVA_ADDRESS, NPM_ADDRESS]);
      for (const instance of [weightless, disabled])
        await java.call('naming.deregister', { service, group: GROUP, instance });
      await toldList(npm, service, [JAVA_ADDRESS, NPM_ADDRESS]);
    },
  },
  {
    name: 'a read of named clusters gives those alone',
    async run(stage) {
      const service = orders(stage);
      const blue = { ip: '10.1.0.9', port: 8081, clusterName: 'BLUE' };
      await stage.java.call('naming.register', { service, group: GROUP, instance: blue });
      const both = ['10.1.0.9:8081', JAVA_ADDRESS, NPM_ADDRESS].sort();
      for (const program of stage.both) {
        const inClusters = async (clusters: readonly string[]) =>
          addresses(await read(program, 'instances', service, { clusters }));
        await eventuallyEqual(() => inClusters(['BLUE']), ['10.1.0.9:8081']);
        await eventuallyEqual(() => inClusters(['BLUE', 'DEFAULT']), both);
        await eventuallyEqual(() => inClusters(['DEFAULT']), [JAVA_ADDRESS, NPM_ADDRESS]);
      }
      await stage.java.call('naming.deregister', { service, group: GROUP, instance: blue });
    },
  },
  {
    name: 'the services of a group are listed by pages',
    async run(stage) {
      const group = stage.name('GROUP');
      const instance = { ip: '10.4.0.1', port: 80 };
      const services = ['a', 'b', 'c'].map((letter) => stage.name(letter));
      for (const service of services) await stage.java.call('naming.register', { service, group, instance });
      const page = async (pageNo: number) => {
        const parameters = { pageNo, pageSize: 2, group };
        const { count, data } = await stage.java.call<ServicePage>('naming.services', parameters);
        return { count, data };
      };
      await eventuallyEqual(() => page(1), { count: 3, data: services.slice(0, 2) });
      await eventuallyEqual(() => page(2), { count: 3, data: services.slice(2) });
      for (const service of services) await stage.java.call('naming.deregister', { service, group, instance });
    },
  },
  {
    name: 'a namespace sees nothing of another, be it beaten for or persistent',
    async run(stage) {
      const service = orders(stage);
      const namespace = stage.name('ns');
      const [java, npm] = [await stage.start('java', namespace), await stage.start('npm', namespace)];
      const instance = { ip: '10.5.0.1', port: 80 };
      // Nobody listens there, nor beats for it, and it stays all the same.
      const persistent = { ip: '127.0.0.9', port: 9, ephemeral: false };
      await npm.call('naming.register', { service, group: GROUP, instance });
      await java.call('naming.register', { service, group: GROUP, instance: persistent });
      for (const program of [java, npm])
        await eventuallyEqual(async () => {
          const instances = await read(program, 'instances', service);
          return instances.map(({ ip, port, ephemeral }) => `${ip}:${port} ${ephemeral}`).sort();
        }, ['10.5.0.1:80 true', '127.0.0.9:9 false']);
      assert.deepEqual(addresses(await read(stage.java, 'instances', service)), [JAVA_ADDRESS, NPM_ADDRESS]);
      await java.call('naming.deregister', { service, group: GROUP, instance: persistent });
      await npm.call('naming.deregister', { service, group: GROUP, instance });
    },
  },
  {
    name: 'where too few are healthy all are taken for healthy, by the threshold of the service',
    async run(stage) {
      const service = stage.name('protected');
      const [server] = stage.target.servers;
      const ask = async (method: string, path: string, query: Readonly<Record<string, string>>) => {
        const parameters = new URLSearchParams({ serviceName: `${GROUP}@@${service}`, ...query });
        const url = `http://${server}${stage.target.contextPath}/v1/ns/${path}?${parameters}`;
        const { status, body } = await stage.npm.call<{ status: number; body: string }>('http', { url, method });
        assert.deepEqual({ status, body }, { status: 200, body: 'ok' });
      };
      // Nobody beats for them: they have to live as long as the step takes.
      const metadata = '{"preserved.heart.beat.timeout":"120000","preserved.ip.delete.timeout":"120000"}';
      const instances = [
        { ip: '10.9.0.1', port: '80', healthy: 'true', metadata },
        { ip: '10.9.0.2', port: '80', healthy: 'false', metadata },
      ];
      for (const instance of instances) await ask('POST', 'instance', instance);
      for (const [threshold, selected] of [
        ['0.4', ['10.9.0.1:80']],
        ['0.5', ['10.9.0.1:80', '10.9.0.2:80']],
        ['0', ['10.9.0.1:80']],
      ] as const) {
        await ask('PUT', 'service', { protectThreshold: threshold });
        for (const program of stage.both)
          await eventuallyEqual(
            async () => addresses(await read(program, 'select', service, { healthy: true })),
            selected,
          );
      }
      for (const { ip, port } of instances) await ask('DELETE', 'instance', { ip, port });
    },
  },
  {
    name: 'who stops beating turns unhealthy and is removed',
    async run(stage) {
      const { java } = stage;
      const service = orders(stage);
      const mortal = await stage.start('java');
      const metadata = {
        'preserved.heart.beat.interval': '1000',
        'preserved.heart.beat.timeout': '5000',
        'preserved.ip.delete.timeout': '11000',
      };
      const address = '10.6.0.1:80';
      const since = java.reports.length;
      await mortal.call('naming.register', { service, group: GROUP, instance: { ip: '10.6.0.1', port: 80, metadata } });
      await toldList(java, service, [JAVA_ADDRESS, NPM_ADDRESS, address]);
      // Longer than it may live without: only beats can have kept it.
      await delay(12_000);
      assert.deepEqual(unhealthyReports(java, service, address, since), []);
      assert.ok(addresses(await read(java, 'select', service, { healthy: true })).includes(address));
      await mortal.kill();
      await told(
        `java was told that ${address} is unhealthy`,
        () => unhealthyReports(java, service, address, since).length > 0,
      );
      await toldList(java, service, [JAVA_ADDRESS, NPM_ADDRESS]);
      await toldList(stage.npm, service, [JAVA_ADDRESS, NPM_ADDRESS]);
    },
  },
  {
    name: 'a persistent instance needs no beat, and follows its port',
    needs: 'listener',
    async run(stage) {
      const { java, npm } = stage;
      const { listener } = stage.target;
      assert.ok(listener);
      const service = stage.name('database');
      const instance = { ip: listener.ip, port: listener.port, ephemeral: false };
      // Where nobody is healthy all are shown as healthy (protectThreshold 0), so there is one that stays.
      const companion = { ip: '10.8.0.1', port: 80 };
      const address = `${listener.ip}:${listener.port}`;
      for (const program of stage.both) await program.call('naming.subscribe', { service, group: GROUP });
      await java.call('naming.register', { service, group: GROUP, instance: companion });
      await npm.call('naming.register', { service, group: GROUP, instance });
      for (const program of stage.both) {
        const instances = await toldList(program, service, [address, '10.8.0.1:80']);
        const one: Instance | undefined = instances.find(({ ip }) => ip === listener.ip);
        assert.equal(one?.ephemeral, false);
        assert.equal(one.healthy, true);
      }
      for (const isOpen of [false, true]) {
        const marks = stage.both.map((program) => program.reports.length);
        await (isOpen ? listener.open() : listener.close());
        for (const [i, program] of stage.both.entries())
          await told(`${program.name} was told that ${address} is ${isOpen ? 'healthy' : 'unhealthy'}`, () =>
            listsOf(program, service, marks[i]).some(({ instances }) =>
              instances.some(({ ip, healthy }) => ip === listener.ip && healthy === isOpen),
            ),
          );
      }
      await java.call('naming.deregister', { service, group: GROUP, instance });
      for (const program of stage.both) await toldList(program, service, ['10.8.0.1:80']);
      await java.call('naming.deregister', { service, group: GROUP, instance: companion });
    },
  },
  {
    name: 'who has unsubscribed is told nothing more',
    async run(stage) {
      const { java, npm } = stage;
      const service = stage.name('left');
      const instances = [1, 2].map((port) => ({ ip: '10.7.0.1', port }));
      for (const program of stage.both) await program.call('naming.subscribe', { service, group: GROUP });
      await npm.call('naming.register', { service, group: GROUP, instance: instances[0] });
      for (const program of stage.both) await toldList(program, service, ['10.7.0.1:1']);
      await java.call('naming.unsubscribe', { service, group: GROUP });
      const since = java.reports.length;
      await npm.call('naming.register', { service, group: GROUP, instance: instances[1] });
      await toldList(npm, service, addresses(instances));
      await eventuallyEqual(async () => addresses(await read(java, 'instances', service)), addresses(instances));
      assert.deepEqual(listsOf(java, service, since), []);
      for (const instance of instances) await npm.call('naming.deregister', { service, group: GROUP, instance });
    },
  },
  {
    name: 'what both beat for has stayed healthy all the while, and every push was acknowledged',
    async run(stage) {
      const service = orders(stage);
      await delay(Math.max(0, stage.registeredMs + BEATEN_MS - performance.now()));
      for (const program of stage.both) {
        assert.deepEqual(addresses(await read(program, 'select', service, { healthy: true })), [
          JAVA_ADDRESS,
          NPM_ADDRESS,
        ]);
        for (const address of [JAVA_ADDRESS, NPM_ADDRESS])
          assert.deepEqual(unhealthyReports(program, service, address, 0), []);
      }
      if (stage.target.isPushed) await assertAllAcknowledged(stage);
    },
  },
  {
    name: 'a deregistration is told to the other; the last one gives an empty list',
    async run(stage) {
      const { java, npm } = stage;
      const service = orders(stage);
      await java.call('naming.deregister', { service, group: GROUP, instance: JAVA_ONE });
      await toldList(npm, service, [NPM_ADDRESS]);
      await toldList(java, service, [NPM_ADDRESS]);
      await npm.call('naming.deregister', { service, group: GROUP, instance: NPM_ONE });
      // The package ignores an empty list by design, so the Java client alone can see it.
      await toldList(java, service, []);
      assert.deepEqual(await read(java, 'instances', service), []);
    },
  },
];

/** Whoever leaves pushes unacknowledged is not pushed to for minutes, and nothing but late lists would tell. */
async function assertAllAcknowledged(stage: Stage): Promise<void> {
  assert.equal(await failedPushes(stage), stage.failedPushes);
}

async function failedPushes({ npm, target }: Stage): Promise<number> {
  let failed = 0;
  for (const server of target.servers) {
    const url = `http://${server}${target.contextPath}/actuator/prometheus`;
    const { body } = await npm.call<{ body: string }>('http', { url });
    const value = /^nacos_monitor\{module="naming",name="failedPush"\} (\d+)/m.exec(body)?.[1];
    assert.ok(value, `no failedPush among the metrics of ${server}`);
    failed += Number(value);
  }
  return failed;
}

function orders(stage: Stage): string {
  return stage.name('orders');
}

/**
 * A change may happen to be fetched by a poll in the moment before its push comes, so there is more than one try; polls
 * are 10 s apart, tries are not.
 */
async function provePush(stage: Stage, watcher: ClientProgram, changer: ClientProgram): Promise<void> {
  const service = orders(stage);
  const original = changer === stage.java ? JAVA_ONE : NPM_ONE;
  for (let i = 1; i <= PUSH_TRIES; i += 1) {
    const since = watcher.reports.length;
    const instance = { ...original, metadata: { ...original.metadata, attempt: `${watcher.name}-${i}` } };
    await changer.call('naming.register', { service, group: GROUP, instance });
    await told(`${watcher.name} was told of attempt ${i}`, () =>
      listsOf(watcher, service, since).some((report) =>
        report.instances.some(({ metadata }) => metadata?.['attempt'] === `${watcher.name}-${i}`),
      ),
    );
    if (!stage.target.isPushed) return;
    const applied = watcher.reportsOf('applied', since).filter(({ hosts }) => hosts.includes(`${watcher.name}-${i}`));
    if (applied.some(({ by }) => by === 'push')) return;
  }
  const packets = watcher.reportsOf('push').length;
  assert.fail(`${watcher.name} applied no change by a push, every one by a poll; packets that came: ${packets}`);
}

function pushedLists(program: ClientProgram, service: string): (readonly Instance[])[] {
  const lists = program.reportsOf('push').map(({ packet }) => JSON.parse(JSON.parse(packet).data));
  return lists.filter(({ name }) => name === `${GROUP}@@${service}`).map(({ hosts }) => hosts);
}

function unhealthyReports(program: ClientProgram, service: string, address: string, since: number): Instance[] {
  return listsOf(program, service, since)
    .flatMap(({ instances }) => instances)
    .filter(({ ip, port, healthy }) => `${ip}:${port}` === address && !healthy);
}

/** A read that asks the server and not the client's cache. */
async function read(
  program: ClientProgram,
  call: 'instances' | 'select',
  service: string,
  parameters: Readonly<Record<string, unknown>> = {},
): Promise<Instance[]> {
  return await program.call(`naming.${call}`, { service, group: GROUP, subscribe: false, ...parameters });
}

function essence(instance: Instance | undefined): Instance {
  assert.ok(instance);
  const { ip, port, weight, healthy, enabled, ephemeral, clusterName, serviceName, metadata, instanceId } = instance;
  return { ip, port, weight, healthy, enabled, ephemeral, clusterName, serviceName, metadata, instanceId } as Instance;
}
