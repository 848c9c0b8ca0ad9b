/** The scenario of the real clients, in the network of a pod. */
import { after, before, describe } from 'node:test';
import { clientsWork, missingForClients } from '../../clients/scenario.ts';
import { requireOrFail } from '../cluster.ts';
import { ListenerPod } from './listener-pod.ts';
import { NAME, type Three } from './three.ts';

const PORT = 8848;

/** By the addresses of the nodes, instead of the VIP, e2e/clients/three-nodes.e2e.ts has the same scenario. */
export function clients(stage: () => Three): void {
  describe('three replicas by the VIP, from a pod', {
    skip: requireOrFail('the real clients', missingForClients()),
  }, () => {
    let listener: ListenerPod;
    before(async () => {
      listener = await ListenerPod.start(stage(), 'client');
    });
    after(async () => {
      await listener?.remove();
    });
    clientsWork(async () => {
      const { installation, cluster } = stage();
      const { host } = await cluster.addressOf({ service: NAME, namespace: installation.namespace, port: PORT });
      return {
        name: 'three replicas by the VIP, from a pod',
        contextPath: '/nacos',
        isPushed: true,
        listener,
        servers: [`${host}:${PORT}`],
        ownIp: listener.ip,
        runner: (command) => listener.inNetwork(command),
      };
    });
  });
}
