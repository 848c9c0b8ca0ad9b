import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { capacityRecord, namespaceRecord } from './bounds.ts';
import { assertRefused, type ContractSubject, changesSince } from './contract-tools.ts';
import { RECORD_KEY_BYTES_MAX, RECORD_VALUE_BYTES_MAX, RECORDS_PER_WRITE_MAX, type Store } from './store.ts';

export function recordsContract(subject: () => ContractSubject): void {
  describe('records', () => {
    let store: Store;
    before(() => {
      ({ store } = subject());
    });

    it('stores, replaces, lists and removes records of each kind apart', async () => {
      const value = JSON.stringify({ ip: '10.0.0.1', port: 80, text: '😀\r\n' });
      const first = await store.putRecord({ kind: 'instance', key: 'rec##a', value });
      const second = await store.putRecord({ kind: 'service', key: 'rec##a', value: '{}' });
      assert.ok(second > first);
      await store.putRecord({ kind: 'instance', key: 'rec##A', value: '{"n":2}' });
      await store.putRecord({ kind: 'instance', key: 'rec##a', value: '{"n":3}' });
      assert.deepEqual(await store.getRecord('instance', 'rec##a'), {
        ...{ kind: 'instance', key: 'rec##a', value: '{"n":3}' },
      });
      assert.equal((await store.getRecord('service', 'rec##a'))!.value, '{}');
      assert.equal((await store.getRecord('instance', 'rec##A'))!.value, '{"n":2}');
      assert.equal(await store.removeRecord('service', 'rec##a'), true);
      assert.equal(await store.removeRecord('service', 'rec##a'), false);
      assert.equal(await store.getRecord('service', 'rec##a'), undefined);
      assert.equal(await store.getRecord('switch', 'none'), undefined);
    });

    it('writes several records as one, and lists them in pages by key', async () => {
      const records = Array.from({ length: RECORDS_PER_WRITE_MAX }, (_, i) => ({
        kind: 'switch' as const,
        key: `many.${String(i).padStart(4, '0')}`,
        value: `{"i":${i}}`,
      }));
      const from = await store.revision();
      const revision = await store.putRecords(records);
      assert.equal(await store.revision(), revision);
      const seen = await changesSince(store, from);
      assert.deepEqual(
        seen.map((change) => change.what.key),
        records.map((record) => record.key),
      );
      assert.equal(seen.at(-1)!.revision, revision);
      const listed: unknown[] = [];
      let after: string | undefined;
      do {
        const page = await store.scanRecords('switch', 25, after);
        listed.push(...page.items);
        after = page.next;
      } while (after !== undefined);
      assert.deepEqual(listed, records);
      assert.equal(await store.putRecords([]), revision);
    });

    it('stores namespaces', async () => {
      const dev = namespaceRecord({ id: 'ns-dev', name: 'Entwicklung', description: 'for all' });
      const bare = namespaceRecord({ id: 'ns-bare', name: 'bare', description: '' });
      await store.putRecords([dev, bare]);
      const renamed = namespaceRecord({ id: 'ns-dev', name: 'Development', description: '' });
      await store.putRecord(renamed);
      assert.deepEqual(await store.getRecord('namespace', 'ns-dev'), renamed);
      const page = await store.scanRecords('namespace', 100);
      assert.deepEqual(page.items.map((record) => record.value).sort(), [bare.value, renamed.value].sort());
      const first = await store.scanRecords('namespace', 1);
      const rest = await store.scanRecords('namespace', 1, first.next);
      assert.deepEqual([...first.items, ...rest.items].length, 2);
      assert.equal(rest.next, undefined);
      assert.equal(await store.removeRecord('namespace', 'ns-bare'), true);
      assert.equal(await store.removeRecord('namespace', 'ns-bare'), false);
      await assertRefused('invalid', store.putRecord({ kind: 'namespace', key: 'x', value: '{"id":"y"}' }));
    });

    it('keeps the longest record that fits', async () => {
      const key = 'ü'.repeat(RECORD_KEY_BYTES_MAX / 2);
      const value = JSON.stringify('v'.repeat(RECORD_VALUE_BYTES_MAX - 2));
      await store.putRecord({ kind: 'instance', key, value });
      assert.deepEqual(await store.getRecord('instance', key), { kind: 'instance', key, value });
    });

    it('stores the capacity of groups, namespaces and the cluster', async () => {
      const limits = { quota: 5, maxSize: 102_400, maxAggrCount: 0, maxAggrSize: 2 ** 32 - 1 };
      const none = { quota: 0, maxSize: 0, maxAggrCount: 0, maxAggrSize: 0 };
      const cluster = capacityRecord({ kind: 'group', name: '' }, limits);
      const group = capacityRecord({ kind: 'group', name: 'a:b' }, none);
      const upper = capacityRecord({ kind: 'group', name: 'A:b' }, limits);
      const tenant = capacityRecord({ kind: 'tenant', name: 'dev' }, limits);
      assert.deepEqual([cluster.key, tenant.key], ['group:', 'tenant:dev']);
      const from = await store.revision();
      await store.putRecords([cluster, group, tenant]);
      await store.putRecord(upper);
      const more = capacityRecord({ kind: 'tenant', name: 'dev' }, { ...limits, quota: 6 });
      await store.putRecord(more);
      assert.deepEqual(
        (await changesSince(store, from)).map(({ what }) => [what.kind, what.key]),
        [cluster, group, tenant, upper, more].map(({ kind, key }) => [kind, key]),
      );
      assert.deepEqual(await store.getRecord('capacity', 'group:'), cluster);
      assert.deepEqual(await store.getRecord('capacity', 'tenant:dev'), more);
      assert.equal(await store.getRecord('capacity', 'tenant:'), undefined);
      assert.equal(await store.getRecord('capacity', 'group:dev'), undefined);
      for (const limit of [1, 2, 3, 100]) {
        const listed: unknown[] = [];
        let after: string | undefined;
        do {
          const page = await store.scanRecords('capacity', limit, after);
          listed.push(...page.items);
          after = page.next;
        } while (after !== undefined);
        assert.deepEqual(listed, [cluster, upper, group, more], `in pages of ${limit}`);
      }
      assert.equal(await store.removeRecord('capacity', 'group:a:b'), true);
      assert.equal(await store.removeRecord('capacity', 'group:a:b'), false);
      assert.equal(await store.removeRecord('capacity', 'tenant:'), false);
      assert.equal(await store.removeRecord('capacity', 'nonsense'), false);
      assert.equal(await store.getRecord('capacity', 'group:a:b'), undefined);
      const refused = (key: string, value: string) =>
        assertRefused('invalid', store.putRecord({ kind: 'capacity', key, value }));
      await refused('dev', JSON.stringify(limits));
      await refused('group:dev', '{}');
      await refused('group:dev', 'null');
      await refused('group:dev', JSON.stringify({ ...limits, quota: -1 }));
      await refused('group:dev', JSON.stringify({ ...limits, maxSize: 1.5 }));
      await refused('group:dev', JSON.stringify({ ...limits, maxSize: 2 ** 32 }));
      await refused(`group:${'x'.repeat(129)}`, JSON.stringify(limits));
    });
  });
}
