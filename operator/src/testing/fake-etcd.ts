import { NetworkError, type OutboundRequest } from '@nacos-kube/core/host/host.ts';
import { httpAnswer } from '@nacos-kube/core/testing/fake-host.ts';
import type { Pod } from '../kube/objects.ts';
import { isPodReady } from '../kube/objects.ts';

interface Member {
  readonly name: string;
  readonly id: string;
}

/** A managed etcd as the pods of its StatefulSet would be it: members are whose pods were ready once. */
export class FakeEtcd {
  readonly #pods: () => readonly Pod[];
  readonly members: Member[] = [];
  isGuarded = false;
  leaderId = '1';
  /** Orders that were carried out, by path. */
  readonly orders: string[] = [];

  constructor(pods: () => readonly Pod[]) {
    this.#pods = pods;
  }

  answer({ address, path, body }: OutboundRequest) {
    const ready = this.#pods().filter((pod) => isPodReady(pod));
    for (const { metadata } of ready)
      if (!this.members.some(({ name }) => name === metadata.name)) {
        this.members.push({ name: metadata.name, id: String(this.members.length + 1) });
      }
    const asked = ready.find((pod) => pod.status?.podIP === address);
    const self = this.members.find(({ name }) => name === asked?.metadata.name);
    if (!self) throw new NetworkError('refused', 'nobody listens');
    return this.#answer(self, path, JSON.parse(String(body)) as Record<string, string>);
  }

  #answer(self: Member, path: string, body: Record<string, string>) {
    const header = { member_id: self.id };
    switch (path) {
      case '/v3/auth/authenticate':
        if (!this.isGuarded) return httpAnswer({ error: 'etcdserver: authentication is not enabled', code: 9 }, 412);
        return httpAnswer({ token: 'token' });
      case '/v3/cluster/member/list':
        return httpAnswer({
          members: this.members.map(({ name, id }) => ({
            ID: id,
            name,
            peerURLs: [`http://${name}.svc:2380`],
            clientURLs: [`http://${name}.svc:2379`],
          })),
        });
      case '/v3/maintenance/status':
        return httpAnswer({ header, version: '3.6.5', dbSize: '20480', dbSizeInUse: '16384', leader: this.leaderId });
      case '/v3/kv/range':
      case '/v3/maintenance/alarm':
        return httpAnswer({});
      default:
        this.orders.push(path);
        if (path === '/v3/auth/enable') this.isGuarded = true;
        if (path === '/v3/maintenance/transfer-leadership') this.leaderId = body['targetID'] ?? '';
        if (path === '/v3/cluster/member/remove') {
          this.members.splice(
            this.members.findIndex(({ id }) => id === body['ID']),
            1,
          );
        }
        return httpAnswer({});
    }
  }
}
