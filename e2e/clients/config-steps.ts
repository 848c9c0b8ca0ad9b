/** The configuration as clients meet it; the steps of the table build on each other, in this order. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Step } from './naming-steps.ts';
import { contentsOf, eventually, eventuallyEqual, GROUP, type Stage, told, toldContent } from './stage.ts';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** All that a form, a charset, a line reader or a trim could spoil. */
const FIRST = ' 端口=8080\r\nname: 订单 🙂\r\n\tq=a+b&c=d%20;e\u00e9\u2028\n\n ';
const SECOND = '{\n  "二": "zwei 🚀",\r\n  "x": "\\u0000"\n}';
const QUICK_UPDATES = 20;
const LARGE_CHARS = 150_000;
/** Of a block that documentation alone uses. */
const NOBODY = '192.0.2.99';
/** Polls are held for longer: who is told within this was woken. */
const WOKEN_MS_MAX = 20_000;
const WORD = '\u0002';
const LINE = '\u0001';

export const CONFIG_STEPS: readonly Step[] = [
  {
    name: 'what was never published is null',
    async run(stage) {
      for (const program of stage.both) {
        assert.equal(await program.call('config.get', { dataId: dataId(stage), group: GROUP }), null);
        // Both at once, for the first poll: a later listener has to wait until that one has ended.
        for (const id of [dataId(stage), stage.name('left'), stage.name('beta')])
          await program.call('config.listen', { dataId: id, group: GROUP });
      }
      assert.equal(await stage.java.call('config.status'), 'UP');
    },
  },
  {
    name: 'what Java publishes both read and are told, to the last character',
    async run(stage) {
      await publishAndSee(stage, 'java', FIRST);
    },
  },
  {
    name: 'what npm publishes both read and are told, to the last character',
    async run(stage) {
      await publishAndSee(stage, 'npm', SECOND);
    },
  },
  {
    name: 'each server gives the md5 that the clients compute, and holds a poll that has it',
    async run(stage) {
      const md5 = createHash('md5').update(SECOND).digest('hex');
      assert.equal(await stage.java.call('md5', { content: SECOND }), md5);
      for (const server of stage.target.servers) {
        await eventuallyEqual(
          async () => {
            const { status, headers, body } = await get(stage, server, dataId(stage));
            return { status, md5: headers['content-md5'], body };
          },
          { status: 200, md5, body: SECOND },
        );
        const key = `${dataId(stage)}${WORD}${GROUP}`;
        assert.equal(await changed(stage, server, `${key}${WORD}${md5}`), '');
        const other = createHash('md5').update(FIRST).digest('hex');
        const answer = await changed(stage, server, `${key}${WORD}${other}`);
        assert.equal(answer.trim(), encodeURIComponent(`${key}${LINE}`));
      }
    },
  },
  {
    name: 'of many quick updates the last is what all end with',
    async run(stage) {
      const contents = Array.from({ length: QUICK_UPDATES }, (_, i) => `update ${i}`);
      for (const content of contents)
        await stage.npm.call('config.publish', { dataId: dataId(stage), group: GROUP, content });
      const last = contents.at(-1)!;
      for (const program of stage.both) {
        await toldContent(program, dataId(stage), last);
        await eventuallyEqual(() => program.call('config.get', { dataId: dataId(stage), group: GROUP }), last);
        assert.equal(contentsOf(program, dataId(stage)).at(-1), last);
      }
    },
  },
  {
    name: 'the type is kept and given with the content',
    async run(stage) {
      for (const [publisher, type] of [
        [stage.java, 'json'],
        [stage.npm, 'yaml'],
      ] as const) {
        const id = stage.name(`typed.${type}`);
        await publisher.call('config.publish', { dataId: id, group: GROUP, content: '{}', type });
        for (const server of stage.target.servers)
          await eventuallyEqual(async () => (await get(stage, server, id)).headers['config-type'], type);
        await publisher.call('config.remove', { dataId: id, group: GROUP });
      }
    },
  },
  {
    name: 'a large content goes both ways',
    async run(stage) {
      const id = stage.name('large');
      for (const publisher of stage.both) {
        const content = `${publisher.name} ${'配置🙂abc\r\n'.repeat(LARGE_CHARS / 10)}`;
        await publisher.call('config.publish', { dataId: id, group: GROUP, content });
        for (const program of stage.both) {
          const read = async () => (await program.call('config.get', { dataId: id, group: GROUP })) === content;
          await eventuallyEqual(read, true);
        }
      }
      await stage.java.call('config.remove', { dataId: id, group: GROUP });
    },
  },
  {
    name: 'names with all the characters they may have, and groups apart',
    async run(stage) {
      const id = stage.name('com.example:app_1-x..yaml');
      const groups = ['G.1:a_b-c', 'G.2'];
      for (const group of groups)
        await stage.java.call('config.publish', { dataId: id, group, content: `in ${group}` });
      for (const program of stage.both)
        for (const group of groups)
          await eventuallyEqual(() => program.call('config.get', { dataId: id, group }), `in ${group}`);
      for (const group of groups) await stage.npm.call('config.remove', { dataId: id, group });
    },
  },
  {
    name: 'a namespace reads and is told nothing of another',
    async run(stage) {
      const id = dataId(stage);
      const namespace = stage.name('ns');
      const others = [await stage.start('java', namespace), await stage.start('npm', namespace)];
      for (const program of others) {
        assert.equal(await program.call('config.get', { dataId: id, group: GROUP }), null);
        await program.call('config.listen', { dataId: id, group: GROUP });
      }
      const marks = stage.both.map((program) => program.reports.length);
      for (const [i, program] of others.entries()) {
        const content = `elsewhere ${i}`;
        await program.call('config.publish', { dataId: id, group: GROUP, content });
        for (const other of others) await toldContent(other, id, content);
      }
      for (const [i, program] of stage.both.entries()) {
        assert.deepEqual(contentsOf(program, id, marks[i]), []);
        assert.equal(await program.call('config.get', { dataId: id, group: GROUP }), `update ${QUICK_UPDATES - 1}`);
      }
      await others[0]!.call('config.remove', { dataId: id, group: GROUP });
    },
  },
  {
    name: 'a beta reaches the addresses that it names alone, and its end puts the formal content back',
    async run(stage) {
      const id = stage.name('beta');
      const { servers } = stage.target;
      await stage.java.call('config.publish', { dataId: id, group: GROUP, content: 'formal' });
      for (const program of stage.both) await toldContent(program, id, 'formal');
      await publishBeta(stage, servers[0]!, id, 'for nobody', [NOBODY]);
      for (const program of stage.both)
        await eventuallyEqual(() => program.call('config.get', { dataId: id, group: GROUP }), 'formal');
      await everyServerGives(stage, id, { beta: undefined, body: 'formal' });
      const seen = new Set<string>();
      const publishedMs = performance.now();
      // A client is away between two polls, and behind a NAT each may have an address of its own.
      await eventually('both were told the beta', async () => {
        const before = seen.size;
        for (const address of await listeners(stage, id)) seen.add(address);
        if (seen.size > before) await publishBeta(stage, servers.at(-1)!, id, 'beta', [NOBODY, ...seen]);
        return stage.both.every((program) => contentsOf(program, id).includes('beta'));
      });
      assert.ok(performance.now() - publishedMs < WOKEN_MS_MAX, 'nobody was woken by the beta');
      for (const program of stage.both)
        await eventuallyEqual(() => program.call('config.get', { dataId: id, group: GROUP }), 'beta');
      await everyServerGives(stage, id, { beta: 'true', body: 'beta' });
      const marks = stage.both.map((program) => program.reports.length);
      const stoppedMs = performance.now();
      const stopped = await ask(stage, servers[0]!, `${nameOf(stage, id)}&beta=true`, { method: 'DELETE' });
      assert.deepEqual(JSON.parse(stopped.body), { code: 200, message: 'stop beta ok', data: true });
      for (const [i, program] of stage.both.entries()) await toldContent(program, id, 'formal', marks[i]);
      assert.ok(performance.now() - stoppedMs < WOKEN_MS_MAX, 'nobody was woken by the end of the beta');
      for (const program of stage.both) {
        await eventuallyEqual(() => program.call('config.get', { dataId: id, group: GROUP }), 'formal');
        assert.ok(!contentsOf(program, id).includes('for nobody'));
      }
      await everyServerGives(stage, id, { beta: undefined, body: 'formal' });
      await stage.npm.call('config.remove', { dataId: id, group: GROUP });
    },
  },
  {
    name: 'who no longer listens is told nothing more',
    async run(stage) {
      const id = stage.name('left');
      await stage.java.call('config.publish', { dataId: id, group: GROUP, content: 'one' });
      for (const program of stage.both) await toldContent(program, id, 'one');
      await stage.npm.call('config.unlisten', { dataId: id, group: GROUP });
      await stage.java.call('config.publish', { dataId: id, group: GROUP, content: 'two' });
      await toldContent(stage.java, id, 'two');
      await eventuallyEqual(() => stage.npm.call('config.get', { dataId: id, group: GROUP }), 'two');
      assert.equal(contentsOf(stage.npm, id).at(-1), 'one');
      await stage.java.call('config.remove', { dataId: id, group: GROUP });
    },
  },
  {
    name: 'a removal is told as null, by each client, and can be repeated',
    async run(stage) {
      const id = dataId(stage);
      for (const remover of stage.both) {
        const content = `${remover.name} removes this`;
        await stage.otherThan(remover).call('config.publish', { dataId: id, group: GROUP, content });
        for (const program of stage.both) await toldContent(program, id, content);
        for (const _ of [1, 2]) assert.equal(await remover.call('config.remove', { dataId: id, group: GROUP }), true);
        for (const program of stage.both) {
          await told(`${program.name} was told that it is gone`, () => contentsOf(program, id).at(-1) === null);
          await eventuallyEqual(() => program.call('config.get', { dataId: id, group: GROUP }), null);
        }
      }
    },
  },
];

async function publishAndSee(stage: Stage, by: 'java' | 'npm', content: string): Promise<void> {
  const id = dataId(stage);
  assert.equal(await stage[by].call('config.publish', { dataId: id, group: GROUP, content }), true);
  for (const program of stage.both) {
    await toldContent(program, id, content);
    await eventuallyEqual(() => program.call('config.get', { dataId: id, group: GROUP }), content);
  }
}

function dataId(stage: Stage): string {
  return stage.name('orders.properties');
}

/** As no client publishes: for these addresses alone. */
async function publishBeta(stage: Stage, server: string, id: string, content: string, ips: readonly string[]) {
  const headers = { betaIps: ips.join() };
  const { body } = await ask(stage, server, `${nameOf(stage, id)}&content=${encodeURIComponent(content)}`, {
    ...{ method: 'POST', headers },
  });
  assert.equal(body, 'true');
}

/** Where the servers see who listens, which may be none of the addresses that the clients have themselves. */
async function listeners(stage: Stage, id: string): Promise<readonly string[]> {
  const { body } = await ask(stage, stage.target.servers[0]!, nameOf(stage, id), { path: '/listener' });
  return Object.keys(JSON.parse(body).lisentersGroupkeyStatus);
}

async function everyServerGives(stage: Stage, id: string, expected: { beta: string | undefined; body: string }) {
  for (const server of stage.target.servers)
    await eventuallyEqual(async () => {
      const { headers, body } = await get(stage, server, id);
      return { beta: headers['isbeta'], body };
    }, expected);
}

/** As no client asks: of one server, with all headers. */
async function get(stage: Stage, server: string, id: string): Promise<Answer> {
  return await ask(stage, server, nameOf(stage, id));
}

function nameOf({ target }: Stage, id: string): string {
  const tenant = target.namespace === undefined ? '' : `&tenant=${target.namespace}`;
  return `dataId=${id}&group=${GROUP}${tenant}`;
}

async function ask(
  { target, npm }: Stage,
  server: string,
  query: string,
  { path = '', ...request }: { path?: string; method?: string; headers?: Readonly<Record<string, string>> } = {},
): Promise<Answer> {
  const url = `http://${server}${target.contextPath}/v1/cs/configs${path}?${query}`;
  return await npm.call<Answer>('http', { url, ...request });
}

/** What a server answers at once to a poll of one key: nothing when the md5 is that of its content. */
async function changed(stage: Stage, server: string, keyAndMd5: string): Promise<string> {
  const tenant = stage.target.namespace === undefined ? '' : `${WORD}${stage.target.namespace}`;
  const { status, body } = await stage.npm.call<Answer>('http', {
    url: `http://${server}${stage.target.contextPath}/v1/cs/configs/listener`,
    method: 'POST',
    headers: {
      'Content-Type': 'application/x-www-form-urlencoded',
      'Long-Pulling-Timeout': '30000',
      'Long-Pulling-Timeout-No-Hangup': 'true',
    },
    body: new URLSearchParams({ 'Listening-Configs': `${keyAndMd5}${tenant}${LINE}` }).toString(),
  });
  assert.equal(status, 200);
  return body;
}
