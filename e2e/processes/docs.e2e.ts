/** What the documentation tells people to type to a node, typed to one; and the metrics that it promises. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { blocksOf, commandsOf, NOT_RUN, PAGES } from '../../scripts/docs/blocks.ts';
import { findProgram, run, until } from '../kubernetes/processes.ts';
import { requireOrFail } from '../kubernetes/require.ts';
import { type LocalCluster, startLocalCluster } from './local-cluster.ts';
import { startNode } from './node.ts';
import { CHECKOUT } from './program.ts';

/** Where the documentation finds a node. */
const WRITTEN = '127.0.0.1:8848';
const UP_MS_MAX = 180_000;
const blocks = PAGES.flatMap((page) => blocksOf(page));

const skip = requireOrFail('the examples of the documentation', findProgram('curl') ? [] : ['curl']);

describe('the documentation', { skip }, () => {
  let cluster: LocalCluster;
  let folder: string;
  before(async () => {
    cluster = await startLocalCluster(2, { membersMax: 5 });
    folder = await mkdtemp(join(tmpdir(), 'nacos-kube-docs-'));
  });
  after(async () => {
    await cluster?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  for (const block of blocks.filter(({ marks }) => marks.get('test') === 'node')) {
    for (const { text, prints } of commandsOf(block))
      test(`${block.page}:${block.line} ${text}`, async () => {
        const command = text.replaceAll(WRITTEN, cluster.vip).replaceAll(/\bcurl\b/g, 'curl -sS --fail-with-body');
        const perform = () => run('bash', ['-euo', 'pipefail', '-c', command], { cwd: folder });
        if (prints === undefined) await perform();
        // Another member may be asked than the one that was told, and hears of it a moment later.
        else
          await until(`${text} prints ${prints}`, async () => (await perform()).includes(prints), { timeoutMs: 5_000 });
      });
  }

  for (const block of blocks.filter(({ marks }) => marks.get('test') === 'up')) {
    for (const { text, prints = '' } of commandsOf(block))
      test(`${block.page}:${block.line} ${text}`, async () => {
        const [npx, program, up, ...args] = text.split(' ');
        assert.deepEqual([npx, program, up], ['npx', 'nacos-kube', 'up']);
        const [what, ...rest] = args;
        const isStatus = what === 'status';
        const { code, output } = await (isStatus ? cluster.statusWhenReady(rest) : cluster.command(args, UP_MS_MAX));
        assert.equal(code, 0, output);
        assert.ok(output.includes(prints), output);
      });
  }

  describe('commands on a store', () => {
    const name = `"${process.execPath}" "${join(CHECKOUT, 'bin/nacos-kube.ts')}"`;
    before(async () => {
      await using node = await startNode({ data: join(folder, 'data') });
      const published = await fetch(node.url('/v1/cs/configs?dataId=a&group=g&content=x'), { method: 'POST' });
      assert.equal(await published.text(), 'true');
    });
    for (const block of blocks.filter(({ marks }) => marks.get('test') === 'store')) {
      for (const { text, prints = '' } of commandsOf(block))
        test(`${block.page}:${block.line} ${text}`, async () => {
          const output = await run('bash', ['-euo', 'pipefail', '-c', text.replace('npx nacos-kube', name)], {
            cwd: folder,
          });
          assert.ok(output.includes(prints), output);
        });
    }
  });

  test('what is not run says why', (context) => {
    for (const [reason, why] of Object.entries(NOT_RUN)) {
      const left = blocks.filter(({ marks }) => marks.get('not-run') === reason);
      for (const { page, line } of left) context.diagnostic(`${page}:${line} is not run: ${why}`);
    }
  });

  test('docs/reference/metrics.md has the metrics that node and sidecar export, and no others', async () => {
    const page = await readFile(join(CHECKOUT, 'docs/reference/metrics.md'), 'utf8');
    const sections = new Map(page.split(/^## /m).map((section) => [section.split(':')[0], section]));
    const [member] = cluster.members;
    const addresses = {
      Sidecar: `127.0.0.1:${member!.metricsPort}/metrics`,
      Node: `${member!.address}/nacos/actuator/prometheus`,
    };
    for (const [section, address] of Object.entries(addresses)) {
      const table = (sections.get(section) ?? '').split('\n\nNames of')[0]!;
      const written = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
      const text = await (await fetch(`http://${address}`)).text();
      const exported = [...text.matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name!);
      const own = exported.filter((name) => !/^(process|nodejs|system)_/.test(name));
      assert.deepEqual(own.sort(), written.sort(), section);
    }
  });
});
