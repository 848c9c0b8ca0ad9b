import { after, before, describe } from 'node:test';
import { requireOrFail } from '../kubernetes/require.ts';
import { type LocalNode, startNode } from '../processes/node.ts';
import { openListener } from './listener.ts';
import { clientsWork, missingForClients } from './scenario.ts';
import type { Listener } from './stage.ts';

const skip = requireOrFail('the real clients', missingForClients());

describe('one node', { skip }, () => {
  let node: LocalNode | undefined;
  let listener: Listener | undefined;
  before(async () => {
    node = await startNode();
    listener = await openListener('127.0.0.1');
  });
  after(async () => {
    await listener?.close();
    await node?.stop();
  });
  clientsWork(async () => ({
    name: 'one node',
    servers: [node!.address],
    contextPath: '/nacos',
    isPushed: true,
    listener: listener!,
  }));
});
