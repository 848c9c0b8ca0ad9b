import { after, before, describe } from 'node:test';
import { requireOrFail } from '../kubernetes/require.ts';
import { type LocalCluster, startLocalCluster } from '../processes/local-cluster.ts';
import { openListener } from './listener.ts';
import { clientsWork, missingForClients } from './scenario.ts';
import type { Listener } from './stage.ts';

const skip = requireOrFail('the real clients', missingForClients());

describe('three nodes of this machine', { skip }, () => {
  let cluster: LocalCluster | undefined;
  before(async () => {
    cluster = await startLocalCluster(3);
  });
  after(async () => {
    await cluster?.stop();
  });

  for (const way of ['all addresses', 'the VIP'] as const)
    describe(`by ${way}`, () => {
      let listener: Listener | undefined;
      before(async () => {
        listener = await openListener('127.0.0.1');
      });
      after(async () => {
        await listener?.close();
      });
      clientsWork(async () => ({
        name: `three nodes by ${way}`,
        servers: way === 'the VIP' ? [cluster!.vip] : cluster!.members.map(({ address }) => address),
        contextPath: '/nacos',
        isPushed: true,
        listener: listener!,
      }));
    });
});
