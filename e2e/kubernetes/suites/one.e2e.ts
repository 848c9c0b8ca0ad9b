/** The operator by Helm, manifests that are refused, and one replica with embedded storage, from apply to nothing but its volume. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { missingForCluster, ProgramError, requireOrFail, until } from '../cluster.ts';
import { CHECKOUT } from '../product-image.ts';
import { CRD, EXAMPLES, Installation, OPERATOR_NAMESPACE, type PodObject } from './installation.ts';
import { Registry } from './registry.ts';

const INVALID = join(CHECKOUT, 'crds/invalid');
/** For the deletions, for the operator, and for volumes that Kubernetes is still letting go of. */
const GONE_MS_MAX = 90_000;

describe('one replica on Kubernetes', {
  skip: requireOrFail('the operator on Kubernetes', missingForCluster()),
}, () => {
  let installation: Installation;
  let vip: Registry;
  let first: PodObject;

  before(async () => {
    installation = await Installation.open('suite-one');
  });
  after(async () => {
    await installation?.close();
  });

  test('the operator that Helm installed leads and has listed everything', async () => {
    assert.match(await installation.test(), /Phase:\s+Succeeded/);
  });

  describe('what the API server refuses', () => {
    const files = manifestsIn(INVALID);
    let refusals: string;
    before(async () => {
      // One call for all: kubectl goes on after a refusal, and names the file of each.
      refusals = await refusal(['create', '-f', INVALID]);
    });
    test('there are at least ten invalid manifests, and nothing came of any', async () => {
      assert.ok(files.length >= 10, `${files.length}`);
      assert.deepEqual((await installation.get('nc')).items, []);
    });

    for (const file of files)
      test(`${file}: ${promised(join(INVALID, file))}`, () => {
        const [, said = ''] = refusals.split(`"${join(INVALID, file)}":`);
        const [own = ''] = said.split('error when creating');
        assert.match(own, literally(promised(join(INVALID, file))));
      });

    // All at once, for they have nothing to do with each other.
    describe('changes', { concurrency: true }, () => {
      for (const [index, file] of manifestsIn(join(INVALID, 'changes')).entries())
        test(`${file}: ${promised(join(INVALID, 'changes', file))}`, async () => {
          const path = join(INVALID, 'changes', file);
          const [accepted, refused] = await installation.objectsOf(path);
          const name = `change-${index}`;
          accepted.metadata.name = name;
          refused.metadata.name = name;
          // The operator is to make no pods of it.
          accepted.metadata.annotations = { 'nacos-kube.dev/paused': 'true' };
          await installation.apply([accepted]);
          try {
            assert.match(await refusal(['apply', '-f', '-'], JSON.stringify(refused)), literally(promised(path)));
          } finally {
            await installation.kubectl('delete', 'nc', name);
          }
        });
    });

    /** What kubectl says when it must fail. */
    async function refusal(args: readonly string[], input = ''): Promise<string> {
      try {
        await installation.cluster.kubectl(['-n', installation.namespace, ...args], { input });
      } catch (error) {
        if (error instanceof ProgramError) return error.stderr;
        throw error;
      }
      return assert.fail('it was accepted');
    }
  });

  test('the example becomes Ready, and kubectl shows replicas, ready and status', async (t) => {
    const startedMs = performance.now();
    await installation.kubectl('apply', '-f', join(EXAMPLES, 'one.yaml'));
    await installation.ready('one', 1);
    t.diagnostic(`Ready ${Math.round(performance.now() - startedMs)} ms after apply`);
    const [head = '', line = ''] = (await installation.kubectl('get', 'nc')).split('\n');
    assert.match(head, /^NAME\s+REPLICAS\s+READY\s+STORE\s+VERSION\s+STATUS\s+AGE$/);
    assert.match(line, /^one\s+1\s+1\s+embedded\s+\S+\s+AllMembersReady\s+\d+s$/);
    first = await installation.pod('one-0');
  });

  test('clients register, list, publish and read by the VIP', async () => {
    vip = await Registry.of(installation.cluster, { service: 'one', namespace: installation.namespace, port: 8848 });
    await vip.register('payments', '10.9.0.1', 8080);
    await vip.register('ledger', '10.9.0.2', 9090, { ephemeral: 'false', metadata: '{"zone":"a"}' });
    await until('both are listed', async () => {
      const [payments, ledger] = await Promise.all([vip.instances('payments'), vip.instances('ledger')]);
      return payments.length === 1 && ledger.length === 1;
    });
    await vip.publish('app.properties', 'color=blue\nsize=ü');
    await until('it is read', async () => (await vip.read('app.properties')) === 'color=blue\nsize=ü');
  });

  test('a deleted pod comes back under its name with its data', async (t) => {
    const startedMs = performance.now();
    await installation.kubectl('delete', 'pod', 'one-0');
    await until(
      'another pod has its name',
      async () => (await installation.pod('one-0')).metadata.uid !== first.metadata.uid,
    );
    await installation.ready('one', 1);
    await until('the VIP answers again', async () => (await vip.members()).length === 1);
    t.diagnostic(`answers ${Math.round(performance.now() - startedMs)} ms after the deletion was asked for`);
    assert.equal(await vip.read('app.properties'), 'color=blue\nsize=ü');
    assert.equal((await vip.instances('payments')).length, 1, 'an instance that beats is given its time again');
    const [instance] = await vip.instances('ledger');
    assert.deepEqual(
      { ip: instance?.ip, port: instance?.port, ephemeral: instance?.ephemeral, metadata: instance?.metadata },
      { ip: '10.9.0.2', port: 9090, ephemeral: false, metadata: { zone: 'a' } },
    );
  });

  test('deletion leaves the volume, and uninstalling nothing at all', async () => {
    await installation.kubectl('delete', 'nc', 'one');
    const volume = ['persistentvolumeclaim/data-one-0'];
    await eventually(async () => assert.deepEqual(await installation.leftovers(), volume));
    await installation.uninstall();
    // The CRD stays, as the chart says, lest all NacosClusters go with it: it is deleted by itself.
    await installation.cluster.kubectl(['delete', 'crd', CRD]);
    await eventually(async () => {
      assert.deepEqual(await installation.leftovers(), volume);
      assert.deepEqual(await installation.leftovers(OPERATOR_NAMESPACE), []);
      const kinds = (await installation.clusterWideLeftovers()).map((name) => name.split('/')[0]);
      assert.deepEqual(kinds, ['persistentvolume']);
    });
  });
});

/** Until the assertion holds; its own error tells what did not. */
async function eventually(check: () => Promise<void>): Promise<void> {
  await until('what is left', async () => (await check()) ?? true, { timeoutMs: GONE_MS_MAX, everyMs: 1_000 });
}

function manifestsIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .sort();
}

/** What its first line says that it is refused with. */
function promised(file: string): string {
  const [line = ''] = readFileSync(file, 'utf8').split('\n');
  const text = line.replace(/^# Refused with: /, '');
  assert.notEqual(text, line, `${file} does not say with what it is refused`);
  return text;
}

function literally(text: string): RegExp {
  return new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
}
