import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { CONTENT_LENGTH_MAX } from './bounds.ts';
import {
  assertRefused,
  type ContractEngine,
  type ContractOptions,
  type ContractSubject,
  eventually,
  keyOf,
  writeOf,
} from './contract-tools.ts';
import { createTestHost } from './host-for-tests.ts';
import { RECORD_KEY_BYTES_MAX, RECORD_VALUE_BYTES_MAX, RECORDS_PER_WRITE_MAX, type Store } from './store.ts';

const { clock } = createTestHost();

export function faultsContract(subject: () => ContractSubject, options: ContractOptions): void {
  describe('bounds and outages', () => {
    let store: Store;
    let engine: ContractEngine;
    before(() => {
      ({ store, engine } = subject());
    });

    it('refuses what no engine could keep', async () => {
      const long = 'x'.repeat(300);
      const key = 'k'.repeat(RECORD_KEY_BYTES_MAX + 1);
      const value = `"${'v'.repeat(RECORD_VALUE_BYTES_MAX)}"`;
      const tooMany = Array.from({ length: RECORDS_PER_WRITE_MAX + 1 }, (_, i) => {
        return { kind: 'switch' as const, key: `${i}`, value: '{}' };
      });
      await assertRefused('invalid', store.putConfig(writeOf(long, 'x')));
      await assertRefused('invalid', store.putConfig(writeOf('ok', 'x', { group: long })));
      await assertRefused('invalid', store.putConfig(writeOf('ok', 'x', { tags: [long] })));
      await assertRefused('invalid', store.putConfig(writeOf('ok', 'x', { schema: 'x'.repeat(70_000) })));
      await assertRefused('invalid', store.putConfig(writeOf('ok', 'half \ud83d')));
      await assertRefused('invalid', store.putConfig(writeOf('ok', 'x'.repeat(CONTENT_LENGTH_MAX + 1))));
      await assertRefused('invalid', store.putRecord({ kind: 'switch', key, value: '{}' }));
      await assertRefused('invalid', store.putRecord({ kind: 'switch', key: '', value: '{}' }));
      await assertRefused('invalid', store.putRecord({ kind: 'switch', key: 'k', value }));
      await assertRefused('invalid', store.putRecords(tooMany));
      await assertRefused('invalid', store.scanConfigs(0));
      await assertRefused('invalid', store.scanConfigs(10, 'nonsense'));
      await assertRefused('invalid', store.changes(0, -1));
      assert.equal(await store.getConfig(keyOf('ok')), undefined);
    });

    it('fails in time while the engine is away, and goes on by itself when it is back', async () => {
      const others = [store, await engine.open()];
      await store.putConfig(writeOf('away', 'before'));
      await engine.cut();
      const startedAt = clock.monotonic();
      await Promise.all(
        others.map(async (writer) => {
          await assertRefused('unavailable', writer.putConfig(writeOf('away', 'during')));
        }),
      );
      await assertRefused('unavailable', store.putRecord({ kind: 'switch', key: 'away', value: '{}' }));
      const tookMs = clock.monotonic() - startedAt;
      assert.ok(tookMs < 2 * options.failsWithinMs, `two failing writes in a row took ${tookMs} ms`);
      await engine.restore();
      await eventually(async () => {
        await store.putConfig(writeOf('away', 'after'));
        await others[1]!.putConfig(writeOf('away.2', 'after'));
      });
      assert.equal((await store.getConfig(keyOf('away')))!.content, 'after');
    });

    it('refuses calls once stopped', async () => {
      const stopped = await engine.open();
      await stopped.stop();
      await assertRefused('unavailable', stopped.getConfig(keyOf('any')));
      await assertRefused('unavailable', stopped.putConfig(writeOf('any', 'x')));
    });
  });
}
