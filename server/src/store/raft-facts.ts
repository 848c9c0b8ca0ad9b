import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';
import { type Store, StoreError } from './store.ts';

const LOOK_EVERY_MS = 10_000;
/** Facts are short texts. */
const MEMBERS_TEXT_MAX = 500;

export type RaftFacts = Readonly<Record<'raftLeader' | 'raftMembers' | 'raftTerm' | 'raftIndex', string | number>>;

/** What the engine behind the store says of its own members, for the node list; nothing where none are elected. */
export class RaftLook implements Part {
  readonly name = 'raft look';
  readonly #host: Host;
  readonly #store: Store;
  #timer: Timer | undefined;
  #isAsking = false;
  #facts: RaftFacts | undefined;

  constructor(host: Host, store: Store) {
    this.#host = host;
    this.#store = store;
  }

  start(): void {
    if (this.#store.raft === undefined) return;
    this.#timer = this.#host.clock.every(LOOK_EVERY_MS, () => this.#look());
    this.#look();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** As they were when the engine answered last: an outage shows elsewhere. */
  facts(): RaftFacts | Record<string, never> {
    return this.#facts ?? {};
  }

  #look(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#host.background('look at the raft of the store', this.#ask());
  }

  async #ask(): Promise<void> {
    try {
      const raft = await this.#store.raft!();
      this.#facts = {
        raftLeader: raft.leader ?? '',
        raftMembers: raft.members.join().slice(0, MEMBERS_TEXT_MAX),
        raftTerm: raft.term,
        raftIndex: raft.index,
      };
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    } finally {
      this.#isAsking = false;
    }
  }
}
