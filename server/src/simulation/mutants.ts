import type { Disk } from '@nacos-kube/core/host/host.ts';
import { decodeDatum, encodeDatum } from '../distro/codec.ts';
import { DELTA_PATH, DIGEST_PATH, EXCHANGE_PATH } from '../distro/paths.ts';
import { VERIFY_TIMEOUT_MS } from '../distro/verify.ts';
import type { Membership } from '../members/membership.ts';
import { EXPIRY_PERIOD_MS } from '../naming/expiry.ts';
import type { NacosServer } from '../server.ts';
import type { Store } from '../store/store.ts';

/** Ways in which the reference, or an earlier self, failed: switched on to see that the checker notices. */
export const MUTANTS = [
  'older wins',
  'no grant',
  'judges for all',
  'ready at once',
  'no follow',
  'no digests',
  'no journal',
  'digests delete',
  'no freeze',
  'dump cleared',
  'forgets writes',
] as const;

/** Those that no fault is needed for: hours of ordinary life show them. */
export const SLOW_MUTANTS = ['late expiry', 'lost beats'] as const;
export type Mutant = (typeof MUTANTS)[number] | (typeof SLOW_MUTANTS)[number];

/** Breaks a node before it starts. */
export function breakNode({ naming, distro }: NacosServer, { peers }: Membership, mutant: Mutant): void {
  const { registry } = naming;
  switch (mutant) {
    case 'older wins': {
      // F2: what arrives last replaces what is there, whatever its stamp says.
      const orderOf = registry.orderOf.bind(registry);
      registry.orderOf = (datum) => Math.abs(orderOf(datum));
      return;
    }
    case 'no grant':
      // F3: a new owner judges what it inherits by times that nobody kept.
      registry.grant = () => 0;
      return;
    case 'judges for all': {
      // Every node takes silence for death, and every verdict of another one for true.
      Object.assign(distro.ownership, { judges: () => true });
      const merge = registry.merge.bind(registry);
      registry.merge = (datum, _roles, nowMs) => merge(datum, { iAmOwner: false, senderIsOwner: true }, nowMs);
      return;
    }
    case 'ready at once':
      // F5: clients are let in before the peers have told what they know.
      distro.notReadyReason = () => undefined;
      return;
    case 'late expiry': {
      // F8: what is overdue is noticed long after.
      const take = registry.takeOverdue.bind(registry);
      registry.takeOverdue = (nowMs) => take(nowMs - 15_000);
      return;
    }
    case 'lost beats': {
      // A few beats in a hundred are acknowledged and forgotten.
      const beat = registry.beat.bind(registry);
      let count = 0;
      registry.beat = (service, key, nowMs, heardBy) =>
        ++count % 100 < 4 ? 'known' : beat(service, key, nowMs, heardBy);
      return;
    }
    case 'no follow':
    case 'dump cleared':
    case 'forgets writes':
      return; // its store is deaf, its disk empty, its store forgets
    case 'no digests':
      distro.verify.round = () => {};
      return;
    case 'digests delete': {
      // F1: what a peer has and the owner's digests do not know is taken for gone.
      const call = peers.call.bind(peers);
      const buryUnknown = async (peer: string, services: readonly string[]) => {
        if (services.length === 0) return;
        const { datums } = (await call(peer, EXCHANGE_PATH, { services, after: null }, VERIFY_TIMEOUT_MS)) as {
          readonly datums: readonly unknown[];
        };
        const unknown = datums
          .map(decodeDatum)
          .filter(({ service, key, kind }) => kind === 'live' && registry.find(service, key, true) === undefined);
        const tombstones = unknown.map(({ service, key, stamp }) =>
          encodeDatum({ service, key, kind: 'left', stamp: { ...stamp, epoch: stamp.epoch + 1 } }),
        );
        await call(peer, DELTA_PATH, { datums: tombstones }, VERIFY_TIMEOUT_MS);
      };
      Object.assign(peers, {
        async call(peer: string, path: string, message: unknown, timeoutMs: number) {
          const answer = await call(peer, path, message, timeoutMs);
          const { differing = [] } = answer as { readonly differing?: readonly string[] };
          if (path === DIGEST_PATH) await buryUnknown(peer, differing);
          return answer;
        },
      });
      return;
    }
    case 'no freeze': {
      // F7: a node that was asleep takes its own silence for that of its clients.
      const { expiry } = naming;
      const tick = expiry.tick.bind(expiry);
      let lastMs: number | undefined;
      expiry.tick = (nowMs) => {
        const changes = [];
        for (let at = (lastMs ?? nowMs) + EXPIRY_PERIOD_MS; at < nowMs; at += EXPIRY_PERIOD_MS)
          changes.push(...tick(at));
        lastMs = nowMs;
        return [...changes, ...tick(nowMs)];
      };
      return;
    }
    case 'no journal':
      distro.journal.read = async () => [];
      return;
  }
}

/** F12: what was copied is thrown away before anything else was read. */
export function breakDisk(disk: Disk, data: string): Promise<void> {
  return disk.remove(`${data}/config`);
}

/** Breaks what a node knows of the truth. */
export function breakStore(store: Store, mutant: Mutant): void {
  // F9: whoever was not told by the publisher itself never looks.
  if (mutant === 'no follow') store.changes = async (from) => ({ gap: false, changes: [], upTo: from });
  if (mutant === 'forgets writes') {
    // P2, P5: one write in ten is acknowledged before it is stored, and then never is.
    let count = 0;
    const isForgotten = () => ++count % 10 === 0;
    const [putConfig, putRecord] = [store.putConfig.bind(store), store.putRecord.bind(store)];
    store.putConfig = async (write) =>
      isForgotten() ? { outcome: 'written', revision: await store.revision() } : putConfig(write);
    store.putRecord = async (record) => (isForgotten() ? store.revision() : putRecord(record));
  }
}
