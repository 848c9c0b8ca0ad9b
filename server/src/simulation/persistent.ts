import { type Host, NetworkError } from '@nacos-kube/core/host/host.ts';
import { instanceKey } from '@nacos-kube/core/model/instance.ts';
import { groupedName, serviceKey } from '@nacos-kube/core/model/names.ts';
import { PUBLIC_PORT, type SimulatedCluster, type SimulatedNode } from './cluster.ts';

const SERVICE = 'fixed';
const PORT = 80;
const SLOTS = 3;
const CHANGE_MS = 6_000;
const TIMEOUT_MS = 4_000;
const SERVICE_KEY = serviceKey({ namespaceId: 'public', name: groupedName('DEFAULT_GROUP', SERVICE) });

interface Slot {
  readonly ip: string;
  /** What was acknowledged last; unknown while a change is under way, and for ever after one without an answer. */
  known: 'present' | 'absent' | 'unknown';
  /** The node that acknowledged it, in which life. */
  by: { readonly name: string; readonly startedMs: number | undefined } | undefined;
}

/** Promise P5: a persistent instance that was acknowledged is there until its removal, whatever is restarted meanwhile. */
export class PersistentChecker {
  readonly violations: string[] = [];
  readonly #host: Host;
  readonly #cluster: SimulatedCluster;
  readonly #nowMs: () => number;
  readonly #slots: Slot[] = [];
  /** Nobody knows what became of them, but all nodes must think the same. */
  readonly #lost: Slot[] = [];
  #used = 0;
  #isBusy = false;
  #isEnding = false;
  acknowledged = 0;

  constructor(host: Host, cluster: SimulatedCluster, nowMs: () => number) {
    this.#host = host;
    this.#cluster = cluster;
    this.#nowMs = nowMs;
    for (let n = 0; n < SLOTS; n++) this.#slots.push(this.#fresh());
  }

  start(): void {
    this.#host.clock.every(CHANGE_MS, () => {
      if (this.#isBusy || this.#isEnding) return;
      this.#isBusy = true;
      const done = this.#change(this.#host.random.int(SLOTS)).finally(() => {
        this.#isBusy = false;
      });
      this.#host.background('change a persistent instance', done);
    });
  }

  /** No more changes from now on. */
  end(): void {
    this.#isEnding = true;
  }

  /** Whoever acknowledged it shows it as it is. */
  sample(): void {
    for (const slot of this.#slots) {
      if (slot.known === 'unknown' || slot.by === undefined) continue;
      const node = this.#cluster.node(slot.by.name);
      if (node?.startedMs === slot.by.startedMs && node !== undefined) this.#check(node, slot, 'acknowledged it');
    }
  }

  /** After all is whole again. */
  checkEqual(): void {
    const nodes = this.#cluster.ready();
    for (const slot of [...this.#slots, ...this.#lost]) {
      for (const node of nodes) {
        if (slot.known !== 'unknown') this.#check(node, slot, 'is whole');
        else if (shows(node, slot) !== shows(nodes[0]!, slot)) {
          this.violations.push(`${node.name} and ${nodes[0]!.name} disagree on the persistent ${slot.ip}`);
        }
      }
    }
  }

  #check(node: SimulatedNode, slot: Slot, why: string): void {
    if (shows(node, slot) === (slot.known === 'present')) return;
    const what = slot.known === 'present' ? 'lacks' : 'still has';
    this.violations.push(
      `at ${(this.#nowMs() / 1000).toFixed(1)} s ${node.name} ${what} the persistent ${slot.ip}, and ${why}`,
    );
  }

  async #change(index: number): Promise<void> {
    const slot = this.#slots[index]!;
    const wanted = slot.known === 'present' ? 'absent' : 'present';
    const names = this.#cluster.names;
    const name = names[this.#host.random.int(names.length)]!;
    const startedMs = this.#cluster.node(name)?.startedMs;
    slot.known = 'unknown';
    slot.by = undefined;
    if (!(await this.#ask(name, wanted === 'present' ? 'POST' : 'DELETE', slot.ip))) {
      // It may be carried out at any later time, so its address is not used again.
      this.#lost.push(slot);
      this.#slots[index] = this.#fresh();
      return;
    }
    this.acknowledged++;
    slot.known = wanted;
    slot.by = { name, startedMs };
  }

  #fresh(): Slot {
    return { ip: `10.9.0.${++this.#used}`, known: 'absent', by: undefined };
  }

  async #ask(address: string, method: string, ip: string): Promise<boolean> {
    const path = `/nacos/v1/ns/instance?serviceName=${SERVICE}&ip=${ip}&port=${PORT}&ephemeral=false`;
    try {
      const request = { address, port: PUBLIC_PORT, method, path, timeoutMs: TIMEOUT_MS };
      return (await this.#host.network.request(request)).status === 200;
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      return false;
    }
  }
}

function shows({ server }: SimulatedNode, { ip }: Slot): boolean {
  const key = instanceKey({ ip, port: PORT, cluster: 'DEFAULT' });
  return server.naming.registry.find(SERVICE_KEY, key, false) !== undefined;
}
