import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpResponse } from '@nacos-kube/core/host/host.ts';
import type { ConfigType } from '@nacos-kube/core/model/config.ts';
import { contentMd5 } from '@nacos-kube/core/wire/config.ts';
import fc from 'fast-check';
import { createMemoryDatabase } from '../store/memory.ts';
import { createFakeHost } from './fake-host.ts';
import { shown, startNode } from './node-for-tests.ts';

const DATA_IDS = ['a', 'b', 'c'] as const;
const TAGS = ['gray', 'blue'] as const;
const IPS = ['10.0.0.1', '10.0.0.2'] as const;
const CONTENTS = ['', 'one', 'two', 'zwei 配置\r\n', '\ufeff{"a":1}'] as const;

const dataId = fc.constantFrom(...DATA_IDS);
const content = fc.constantFrom(...CONTENTS.slice(1));
const step = fc.oneof(
  fc.record({
    what: fc.constant('publish' as const),
    dataId,
    content,
    type: fc.constantFrom('text', 'json', 'html', 'yaml', 'nonsense'),
  }),
  fc.record({
    what: fc.constant('beta' as const),
    dataId,
    content,
    ips: fc.uniqueArray(fc.constantFrom(...IPS), { minLength: 1 }),
  }),
  fc.record({ what: fc.constant('tag' as const), dataId, content, tag: fc.constantFrom(...TAGS) }),
  fc.record({ what: fc.constant('remove' as const), dataId }),
  fc.record({ what: fc.constant('stop beta' as const), dataId }),
  fc.record({ what: fc.constant('remove tag' as const), dataId, tag: fc.constantFrom(...TAGS) }),
  fc.record({ what: fc.constant('wait' as const), ms: fc.constantFrom(10, 200, 3_000) }),
);

interface Said {
  readonly content: string;
  readonly type: ConfigType;
}

/** What a reader of the protocol would expect: no cache, no kept bytes, no files. */
class Model {
  readonly formal = new Map<string, Said>();
  readonly betas = new Map<string, { readonly content: string; readonly ips: readonly string[] }>();
  readonly tags = new Map<string, string>();

  expected(of: string, ip: string, tag: string | undefined, header: string | undefined) {
    const beta = this.betas.get(of);
    const formal = this.formal.get(of);
    const type = formal?.type ?? 'text';
    if (beta?.ips.includes(ip)) return { content: beta.content, type, isBeta: true, tag: undefined };
    if (tag !== undefined) {
      const tagged = this.tags.get(`${of} ${tag}`);
      return tagged === undefined ? undefined : { content: tagged, type, isBeta: false, tag: undefined };
    }
    const tagged = header === undefined ? undefined : this.tags.get(`${of} ${header}`);
    if (tagged !== undefined) return { content: tagged, type, isBeta: false, tag: header };
    return formal && { content: formal.content, type, isBeta: false, tag: undefined };
  }
}

test('whatever changes in whatever order, each client is answered as if all was built anew', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 25 }),
      fc.constantFrom(8, 10_000),
      async (steps, contentCacheBytesMax) => {
        const host = createFakeHost('node-1');
        const database = createMemoryDatabase();
        const a = await startNode(host, database, { contentCacheBytesMax });
        const b = await startNode(createFakeHost('node-2', host), database, { contentCacheBytesMax });
        const model = new Model();
        for (const one of steps) {
          if (one.what === 'wait') await host.advance(one.ms);
          else await change(a, model, one);
          for (const of of DATA_IDS) await compare(a, model, of);
        }
        await host.advance(3_000);
        for (const of of DATA_IDS) await compare(b, model, of);
        await a.stop();
        await b.stop();
      },
    ),
    { numRuns: 30 },
  );
});

type TestNode = Awaited<ReturnType<typeof startNode>>;
type Change = Exclude<typeof step extends fc.Arbitrary<infer S> ? S : never, { what: 'wait' }>;

async function change(node: TestNode, model: Model, one: Change): Promise<void> {
  const of = one.dataId;
  switch (one.what) {
    case 'publish':
      await node.publish(of, one.content, { type: one.type });
      model.formal.set(of, { content: one.content, type: one.type === 'nonsense' ? 'text' : (one.type as ConfigType) });
      return;
    case 'beta':
      await node.publishBeta(of, one.content, one.ips.join());
      model.betas.set(of, one);
      return;
    case 'tag':
      await node.publish(of, one.content, { tag: one.tag });
      model.tags.set(`${of} ${one.tag}`, one.content);
      return;
    case 'remove':
      await node.remove(of);
      model.formal.delete(of);
      return;
    case 'stop beta':
      await node.remove(of, { beta: 'true' });
      model.betas.delete(of);
      return;
    case 'remove tag':
      await node.remove(of, { tag: one.tag });
      model.tags.delete(`${of} ${one.tag}`);
      return;
  }
}

/** Every client twice, so that the second answer may be a kept one; and the listener must agree with the read. */
async function compare(node: TestNode, model: Model, of: string): Promise<void> {
  for (const ip of [...IPS, '10.0.0.3']) {
    for (const header of [undefined, ...TAGS]) {
      const headers = { 'test-client-ip': ip, ...(header === undefined ? {} : { 'vipserver-tag': header }) };
      const expected = model.expected(of, ip, undefined, header);
      for (let again = 0; again < 2; again += 1) check(await node.get(of, {}, headers), expected);
      const { answer } = await listened(node, of, expected === undefined ? '' : contentMd5(expected.content), headers);
      assert.equal(answer, '', 'the md5 of what is read counts as changed');
    }
    for (const tag of TAGS) {
      check(await node.get(of, { tag }, { 'test-client-ip': ip }), model.expected(of, ip, tag, undefined));
    }
  }
}

function check(answer: HttpResponse, expected: ReturnType<Model['expected']>): void {
  if (expected === undefined) {
    assert.equal(answer.status, 404);
    return;
  }
  assert.deepEqual(shown(answer), [200, expected.content]);
  const { headers = {} } = answer;
  const facts = [headers['content-md5'], headers['config-type'], headers['isbeta'], headers['vipserver-tag']];
  const isBeta = expected.isBeta ? 'true' : undefined;
  assert.deepEqual(facts, [contentMd5(expected.content), expected.type, isBeta, expected.tag]);
  const isJson = headers['content-type']?.startsWith('application/json');
  assert.equal(isJson, expected.type === 'json');
}

async function listened(node: TestNode, of: string, md5: string, headers: Readonly<Record<string, string>>) {
  const poll = node.listen([[of, md5]], { ...headers, 'long-pulling-timeout-no-hangup': 'true' });
  await node.host.advance(0);
  return { answer: poll.shown()?.[1] };
}
