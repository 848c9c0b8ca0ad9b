/** Three replicas on a MariaDB: members, scaling, lost pods, spoilt lists, registration, probes, metrics and real clients. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { mariadbMissing } from '../../engines/mariadb.ts';
import { missingForCluster, requireOrFail, until } from '../cluster.ts';
import { findProgram } from '../processes.ts';
import { clients } from './clients.ts';
import { managedEtcd } from './etcd.ts';
import { etcdMembers } from './etcd-members.ts';
import { OPERATOR_NAMESPACE } from './installation.ts';
import { memberLists } from './member-lists.ts';
import { members } from './members.ts';
import { metrics } from './metrics.ts';
import { probes } from './probes.ts';
import { registration } from './registration.ts';
import { Three } from './three.ts';

const skip = requireOrFail('three replicas on Kubernetes', [
  ...missingForCluster(),
  // A database and a Prometheus stand in its network.
  ...(process.env.KUBECONFIG ? ['our own cluster, which is not used when KUBECONFIG is set'] : []),
  ...[await mariadbMissing()].filter((one) => one !== undefined),
  ...(findProgram('prometheus') ? [] : ['prometheus (Debian: apt-get install prometheus)']),
]);

describe('three replicas on Kubernetes', { skip }, () => {
  let three: Three;
  before(async () => {
    three = await Three.open('suite-three');
  });
  after(async () => {
    await three?.close();
  });

  members(() => three);
  memberLists(() => three);
  registration(() => three);
  probes(() => three);
  metrics(() => three);
  clients(() => three);

  test('deletion leaves what others made and the volumes', async () => {
    const { installation } = three;
    await installation.kubectl('delete', 'nc', 'three');
    const names = ['persistentvolumeclaim/data-three-0', 'persistentvolumeclaim/data-three-1'];
    const volumes = [2, 3, 4].map((ordinal) => `persistentvolumeclaim/data-three-${ordinal}`);
    const left = async () => {
      assert.deepEqual((await installation.leftovers()).sort(), [...names, ...volumes, 'secret/nacos-database']);
      return true;
    };
    await until('nothing else is left', left, { timeoutMs: 90_000, everyMs: 1_000 });
  });

  managedEtcd(() => three);
  etcdMembers(() => three);

  test('uninstalling leaves nothing of the operator', async () => {
    const { installation } = three;
    await installation.uninstall();
    const none = async () => {
      assert.deepEqual(await installation.leftovers(OPERATOR_NAMESPACE), []);
      return true;
    };
    await until('the operator is gone', none, { timeoutMs: 60_000, everyMs: 1_000 });
  });
});
