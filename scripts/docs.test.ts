import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { loadAll } from 'js-yaml';
import { GROUP, KIND } from '../operator/src/generated/nacos-cluster.ts';
import type { Pod } from '../operator/src/kube/objects.ts';
import { readManifest, schemaOf } from '../operator/src/local/manifest.ts';
import { checkAgainst } from '../operator/src/local/schema.ts';
import { wishOf } from '../operator/src/registration/wish.ts';
import { type Block, blocksOf, commandsOf, NOT_RUN, PAGES, ROOT, readPage } from './docs/blocks.ts';
import { CRD_PATH } from './generate-types.ts';
import { needs } from './needs.ts';

const run = promisify(execFile);
const crdYaml = readFileSync(CRD_PATH, 'utf8');
const blocks = PAGES.flatMap((page) => blocksOf(page));
const marked = (kind: string) => blocks.filter(({ marks }) => marks.get('test') === kind);
const placeOf = ({ page, line }: Block) => `${page}:${line}`;

/** `node`, `up` and `store` blocks are run by e2e/processes/docs.e2e.ts. */
const KINDS = ['help', 'node', 'up', 'store', 'manifest', 'yaml', 'prometheus-config', 'prometheus-rules'];

test('every example of the documentation is tried, or says why not', () => {
  for (const block of blocks.filter(({ language }) => language === 'sh' || language === 'yaml')) {
    const [kind, reason] = [block.marks.get('test'), block.marks.get('not-run')];
    assert.ok(kind ?? reason, `${placeOf(block)} has neither test= nor not-run=`);
    if (kind !== undefined) assert.ok(KINDS.includes(kind), `${placeOf(block)}: test=${kind}`);
    if (reason !== undefined) assert.ok(reason in NOT_RUN, `${placeOf(block)}: not-run=${reason}`);
  }
});

describe('commands that show help', () => {
  for (const block of marked('help')) {
    for (const { text } of commandsOf(block)) {
      test(`${placeOf(block)} ${text}`, async () => {
        const [npx, name, ...args] = text.split(' ');
        assert.deepEqual([npx, name], ['npx', 'nacos-kube']);
        const { stdout } = await run(process.execPath, [join(ROOT, 'bin/nacos-kube.ts'), ...args]);
        assert.match(stdout, /^Usage: nacos-kube/);
      });
    }
  }
});

describe('manifests', () => {
  const samples = [
    ...globSync('examples/kubernetes/*.yaml', { cwd: ROOT }).map((file) => [file, readPage(file)] as const),
    ...marked('manifest').map((block) => [placeOf(block), block.text] as const),
  ];
  for (const [place, text] of samples) {
    test(`${place} is what the CRD allows`, () => {
      const documents = loadAll(text) as readonly { readonly kind: string }[];
      for (const document of documents.filter(({ kind }) => kind === KIND))
        assert.deepEqual(checkAgainst(schemaOf(crdYaml), document, new Set()).problems, []);
    });
  }

  test('examples/cluster.yaml can be started on this machine, and so can those for Kubernetes', () => {
    for (const file of [
      'examples/cluster.yaml',
      'examples/kubernetes/one.yaml',
      'examples/kubernetes/three-mysql.yaml',
      'examples/kubernetes/three.yaml',
      'examples/kubernetes/five-etcd.yaml',
      'examples/kubernetes/three-redis.yaml',
    ])
      assert.deepEqual(readManifest(file, readPage(file), crdYaml).skipped, []);
  });

  test('the pods of examples/kubernetes/registered.yaml can be registered in the cluster of three', () => {
    interface Deployment {
      readonly spec: { readonly template: Pick<Pod, 'metadata' | 'spec'> };
    }
    const [deployment] = loadAll(readPage('examples/kubernetes/registered.yaml')) as unknown as readonly [Deployment];
    const { metadata, spec } = deployment.spec.template;
    const pod = {
      metadata: { ...metadata, name: 'greeter-0', namespace: 'default' },
      spec,
      status: { podIP: '10.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] },
    } as unknown as Pod;
    const { cluster } = readManifest('three', readPage('examples/kubernetes/three-mysql.yaml'), crdYaml);
    const here = { ...cluster, metadata: { ...cluster.metadata, namespace: 'default' } };
    const wish = wishOf(pod, [here]);
    assert.equal(wish.kind === 'wanted' && wish.registration.service, 'DEFAULT_GROUP@@greeter');
  });

  for (const block of marked('yaml')) test(`${placeOf(block)} is YAML`, () => void loadAll(block.text));
});

describe('Prometheus', { skip: await needs('promtool', 'prometheus') }, () => {
  for (const [kind, what] of [['prometheus-config', 'config'] as const, ['prometheus-rules', 'rules'] as const]) {
    for (const block of marked(kind)) {
      test(`takes the ${what} of ${placeOf(block)}`, async () => {
        const folder = await mkdtemp(join(tmpdir(), 'nacos-kube-docs-'));
        try {
          const file = join(folder, 'given.yml');
          // Debian's Prometheus is built without discovery by Kubernetes; all else is checked.
          await writeFile(file, block.text.replaceAll('kubernetes_sd_configs: [{ role: pod }]', 'static_configs: []'));
          const flags = what === 'config' ? ['--syntax-only'] : [];
          await run('promtool', ['check', what, ...flags, file]);
        } finally {
          await rm(folder, { recursive: true });
        }
      });
    }
  }

  test('is asked for metrics that there are', () => {
    const known = readPage('docs/reference/metrics.md');
    for (const block of marked('prometheus-rules'))
      for (const [name] of block.text.matchAll(/\bnacos_kube_\w+/g))
        assert.ok(known.includes(`\`${name}\``), `${placeOf(block)}: ${name}`);
  });
});

test('links of the documentation lead to files that are there', () => {
  for (const page of [...PAGES, 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'e2e/README.md']) {
    for (const [, target = ''] of readPage(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? join(ROOT, page) : join(ROOT, dirname(page), path);
      assert.ok(existsSync(file), `${page}: ${target}`);
      if (anchor === undefined) continue;
      const anchors = [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => anchorOf(title));
      assert.ok(anchors.includes(anchor), `${page}: ${target}`);
    }
  }
});

test('troubleshooting explains every condition, reason and event of the operator', () => {
  const page = readPage('docs/operating/troubleshooting.md');
  const sources = ['conditions', 'actions'].map((name) => readPage(`operator/src/plan/${name}.ts`)).join('\n');
  const types = [...sources.matchAll(/export type (?:ConditionType|Reason|EventReason) =([^;]*);/g)];
  assert.equal(types.length, 3);
  const names = types.flatMap(([, union = '']) => [...union.matchAll(/'(\w+)'/g)].map(([, name = '']) => name));
  assert.ok(names.length > 20);
  assert.deepEqual(
    names.filter((name) => !page.includes(`\`${name}\``)),
    [],
  );
});

test('the page of annotations has all that the operator reads and writes', () => {
  const page = readPage('docs/reference/annotations.md');
  const sources = globSync('operator/src/{registration,resources}/*.ts', { cwd: ROOT })
    .filter((file) => !file.endsWith('.test.ts'))
    .map(readPage)
    .join('\n');
  const written = [...sources.matchAll(/= `\$\{GROUP\}\/([\w.-]+)`/g)].map(([, name = '']) => name);
  const read = [...sources.matchAll(/\bread\('([\w-]+)'\)/g)].map(([, name = '']) => name);
  assert.ok(written.length > 5 && read.length > 5);
  for (const name of [...written, ...read]) assert.ok(page.includes(`\`${GROUP}/${name}`), name);
});

function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .trim()
    .replaceAll(' ', '-');
}
