/** Etcd that has no room: in its database, which it says by an alarm, or on its disk, on which it ends. */
import { until } from '../kubernetes/processes.ts';
import type { EngineFault, EngineRefusal } from './engine.ts';
import type { Etcd } from './etcd.ts';
import type { SmallDisk } from './small-disk.ts';

const FILLER = '/filler/';
/** Etcd takes no more than 1.5 MiB at once. */
const LARGE = 'x'.repeat(1_400_000);
const WRITES_MAX = 100;
const ENDED_MS_MAX = 10_000;

/** Of a cluster with a small quota. */
export function etcdFull(etcd: Etcd): EngineRefusal {
  return {
    name: 'the database of etcd is full',
    says: /takes no writes now \(its database is full\)/,
    contentLength: 10,
    begin: async () => {
      let refusal = '';
      for (let n = 0; n < WRITES_MAX; n += 1) {
        refusal = await etcd.ctlWith(LARGE, 'put', `${FILLER}${n}`).then(() => '', String);
        if (refusal.includes('database space exceeded')) return;
      }
      throw new Error(`etcd took ${WRITES_MAX} large values, which its quota should not: ${refusal.slice(0, 1000)}`);
    },
    end: async () => {
      await etcd.ctl('del', '--prefix', FILLER);
      const { header } = JSON.parse(await etcd.ctl('get', 'none', '-w', 'json')) as { header: { revision: number } };
      await etcd.ctl('compact', `${header.revision}`, '--physical');
      await etcd.ctl('defrag');
      await etcd.ctl('alarm', 'disarm');
    },
  };
}

/** Lasts until most members have ended. */
export function diskOfEtcdFull(etcd: Etcd, disk: SmallDisk): EngineFault {
  return {
    name: 'the disk of etcd is full',
    begin: async () => {
      await disk.fill();
      await until(
        'most members of etcd have ended',
        async () => {
          await etcd
            .ctlWith('x'.repeat(100_000), '--command-timeout=1s', 'put', `${FILLER}disk`)
            .catch(() => undefined);
          return etcd.members.filter((member) => !member.isRunning).length > etcd.members.length / 2;
        },
        { timeoutMs: ENDED_MS_MAX },
      );
    },
    end: async () => {
      await disk.free();
      await etcd.start();
      await etcd.ctl('del', '--prefix', FILLER);
    },
  };
}
