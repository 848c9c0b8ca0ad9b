/** The scenario of the real clients, in the network of the hub and in that of a pod. */
import { after, before, describe } from 'node:test';
import { clientsWork, missingForClients } from '../../clients/scenario.ts';
import type { ScenarioTarget } from '../../clients/stage.ts';
import { requireOrFail } from '../cluster.ts';
import { HUB_ADDRESS } from '../node-config.ts';
import { ListenerPod } from './listener-pod.ts';
import { NAME, type Three } from './three.ts';

const PORT = 8848;

type Way = Pick<ScenarioTarget, 'servers' | 'runner' | 'ownIp'>;

export function clients(stage: () => Three): void {
  const skip = requireOrFail('the real clients', missingForClients());

  clientsBy('the VIP, from a pod', 'client', async (pod) => {
    const { installation, cluster } = stage();
    const { host } = await cluster.addressOf({ service: NAME, namespace: installation.namespace, port: PORT });
    return { servers: [`${host}:${PORT}`], ownIp: pod.ip, runner: (command) => pod.inNetwork(command) };
  });

  // By a VIP a caller from out here would be seen under the address of a machine, where no push reaches it.
  clientsBy('the addresses of the pods, from outside', 'listener', async () => ({
    servers: (await stage().pods()).map(({ status }) => `${status.podIP}:${PORT}`),
    ownIp: HUB_ADDRESS,
    runner: ([program = '', ...args]) => stage().cluster.inNetwork('hub', [program, ...args]),
  }));

  function clientsBy(way: string, podName: string, open: (pod: ListenerPod) => Promise<Way>): void {
    describe(`three replicas by ${way}`, { skip }, () => {
      let listener: ListenerPod;
      before(async () => {
        listener = await ListenerPod.start(stage(), podName);
      });
      after(async () => {
        await listener?.remove();
      });
      clientsWork(async () => ({
        name: `three replicas by ${way}`,
        contextPath: '/nacos',
        isPushed: true,
        listener,
        ...(await open(listener)),
      }));
    });
  }
}
