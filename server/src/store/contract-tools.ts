import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { ConfigKey, VariantId } from '@nacos-kube/core/model/config.ts';
import type { ConfigHistory } from './history.ts';
import { createTestHost } from './host-for-tests.ts';
import {
  type Change,
  type ConfigQuery,
  type ConfigWrite,
  type Revision,
  type Store,
  StoreError,
  type VariantWrite,
} from './store.ts';

const { clock } = createTestHost();

/** One engine with one set of data, empty at first. */
export interface ContractEngine {
  /** A started store of its own on the same data; `tearDown` stops it. */
  open(options?: { readonly changesKept?: number }): Promise<Store>;
  /** Takes the engine away from all stores, as a hang or an outage does. */
  cut(): Promise<void>;
  restore(): Promise<void>;
  tearDown(): Promise<void>;
}

export interface ContractSubject {
  readonly engine: ContractEngine;
  readonly store: Store;
}

export interface ContractOptions {
  readonly skip?: string | false;
  /** Within which a call to an engine that is away must have failed. */
  readonly failsWithinMs: number;
}

export function writeOf(dataId: string, content: string, more: Partial<ConfigWrite> = {}): ConfigWrite {
  return {
    ...{ ...keyOf(dataId), content, md5: md5(content), type: 'text' },
    ...{ appName: undefined, description: null, use: null, effect: null, schema: null, tags: undefined },
    ...{ by: { ip: '127.0.0.1', user: null }, ...more },
  };
}

export function variantOf(
  dataId: string,
  content: string,
  variant: VariantId,
  more: Partial<VariantWrite> = {},
): VariantWrite {
  return {
    ...{ ...keyOf(dataId), variant, content, md5: md5(content), appName: undefined, betaIps: '' },
    ...{ by: { ip: '127.0.0.1', user: null }, ...more },
  };
}

export function queryOf(namespaceId: string, more: Partial<ConfigQuery> = {}): ConfigQuery {
  return {
    ...{ namespaceId, dataId: undefined, group: undefined, appName: undefined, tags: [], offset: 0, limit: 100 },
    ...more,
  };
}

export function keyOf(dataId: string) {
  return { dataId, group: 'g', namespaceId: '' };
}

export function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

/** The newest past writes with their contents. */
export async function historyOf(store: Store, key: ConfigKey, limit: number): Promise<readonly ConfigHistory[]> {
  const { items } = await store.searchHistory(key, 0, limit);
  return Promise.all(items.map(async ({ nid }) => (await store.getHistory(nid))!));
}

export async function assertRefused(kind: string, work: Promise<unknown>): Promise<StoreError> {
  let refusal: StoreError | undefined;
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof StoreError, `${error}`);
    assert.equal(error.kind, kind, error.message);
    refusal = error;
    return true;
  });
  return refusal!;
}

export async function changesSince(store: Store, from: Revision): Promise<readonly Change[]> {
  const changes: Change[] = [];
  for (let at = from; ; ) {
    const page = await store.changes(at, 100);
    assert.ok(!page.gap, `a gap after ${at}`);
    if (page.upTo === at) return changes;
    changes.push(...page.changes);
    at = page.upTo;
  }
}

const EVENTUALLY_MS = 10_000;
/** Few enough that each is answered in time, however slow the disk of the engine is. */
const WAVE = 50;

/** Many calls, not all of them at once. */
export async function inWaves(count: number, call: (i: number) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < count; from += WAVE) {
    await Promise.all(Array.from({ length: Math.min(WAVE, count - from) }, (_, i) => call(from + i)));
  }
}

/** For what an engine does in its own time: asked again until it holds. Resolves with its last answer. */
export async function eventually<T>(check: () => Promise<T>): Promise<T> {
  const deadline = clock.monotonic() + EVENTUALLY_MS;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (clock.monotonic() > deadline) throw error;
      await clock.sleep(50);
    }
  }
}
