import { type Disk, DiskError, type Host, type Log, type Timer } from '@nacos-kube/core/host/host.ts';
import { peerPort } from '@nacos-kube/core/model/member.ts';
import {
  MEMBER_LIST_BYTES_MAX,
  MEMBERS_MAX,
  memberListHash,
  parseMemberAddress,
  splitMemberAddress,
} from '@nacos-kube/core/model/member-list.ts';
import { ListJudge } from './list-judge.ts';
import type { ListInForce } from './machine.ts';

/** Several writes of one change become one read. */
export const DEBOUNCE_MS = 200;
/** After an error of the disk. */
export const REREAD_MS = 2_000;

export type ListSettings =
  | { readonly kind: 'standalone' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'given'; readonly members: readonly string[] };

/** Where the member list comes from. */
export interface ListSource {
  /** Calls back with each list that is to be obeyed, from `start` on. */
  start(obey: (list: ListInForce) => void): void;
  stop(): void;
  /** Lists that were refused so far, each text once. */
  readonly refusals: number;
  /** Why the last list is not obeyed; undefined when it is. */
  readonly lastRefusal: string | undefined;
}

/** Throws when the settings name members that can't be. */
export function createListSource(host: Host, self: string, settings: ListSettings): ListSource {
  switch (settings.kind) {
    case 'standalone':
      return new FixedList([self]);
    case 'given':
      return new FixedList(givenMembers(self, settings.members));
    case 'file':
      return new FileList(host, self, settings.path);
  }
}

/** This node's own address as the list writes it. Throws when it is none. */
export function ownAddress(member: string): string {
  const self = parseMemberAddress(member);
  if (self === undefined) throw new Error(`--member: ${JSON.stringify(member)} is no host:port`);
  if (peerPort(splitMemberAddress(self).port) < 1) throw new Error(`--member: ${self} leaves no port for peers`);
  return self;
}

function givenMembers(self: string, given: readonly string[]): string[] {
  const members = new Set(
    given.map((text) => {
      const address = parseMemberAddress(text);
      if (address === undefined || peerPort(splitMemberAddress(address).port) < 1) {
        throw new Error(`--servers: ${JSON.stringify(text)} is no host:port of a member`);
      }
      return address;
    }),
  );
  if (members.size > MEMBERS_MAX) throw new Error(`--servers: ${members.size} members, ${MEMBERS_MAX} are the most`);
  if (!members.has(self)) throw new Error(`--servers: this node, ${self}, is not among them; --member says who it is`);
  return [...members];
}

class FixedList implements ListSource {
  readonly refusals = 0;
  readonly lastRefusal = undefined;
  readonly #members: readonly string[];

  constructor(members: readonly string[]) {
    this.#members = members;
  }

  start(obey: (list: ListInForce) => void): void {
    obey({ members: this.#members, generation: null, hash: memberListHash(this.#members) });
  }

  stop(): void {}
}

/** A cluster.conf that is read again whenever its directory changes; this node never writes it. */
class FileList implements ListSource {
  refusals = 0;
  lastRefusal: string | undefined;
  readonly #host: Host;
  readonly #log: Log;
  readonly #disk: Disk;
  readonly #path: string;
  readonly #judge: ListJudge;
  #obey: (list: ListInForce) => void = () => {};
  #watch: Timer | undefined;
  #due: { readonly atMs: number; readonly timer: Timer } | undefined;
  #isReading = false;
  #hasBeenRead = false;
  #isStopped = false;

  constructor(host: Host, self: string, path: string) {
    this.#host = host;
    this.#log = host.log.area('members');
    this.#disk = host.disk;
    this.#path = path;
    this.#judge = new ListJudge(self);
  }

  start(obey: (list: ListInForce) => void): void {
    this.#obey = obey;
    const at = this.#path.lastIndexOf('/');
    const directory = at < 0 ? '.' : this.#path.slice(0, at) || '/';
    this.#watch = this.#disk.watch(directory, () => this.#readIn(DEBOUNCE_MS));
    this.#readIn(0);
  }

  stop(): void {
    this.#isStopped = true;
    this.#watch?.cancel();
    this.#due?.timer.cancel();
  }

  /** The earlier of two wishes counts, so that constant changes put no read off for ever. */
  #readIn(delayMs: number): void {
    if (this.#isStopped) return;
    const atMs = this.#host.clock.monotonic() + delayMs;
    if (this.#due !== undefined && this.#due.atMs <= atMs) return;
    this.#due?.timer.cancel();
    const timer = this.#host.clock.after(delayMs, () => {
      this.#due = undefined;
      if (this.#isReading) this.#readIn(DEBOUNCE_MS);
      else this.#host.background('read the member list', this.#read());
    });
    this.#due = { atMs, timer };
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    try {
      const found = await this.#load();
      if (this.#isStopped) return;
      if ('text' in found) this.#take(found.text, found.ageMs);
      else this.#refuse(found.reason, found.reason !== this.lastRefusal);
    } finally {
      this.#isReading = false;
    }
  }

  async #load(): Promise<{ readonly text: string; readonly ageMs: number } | { readonly reason: string }> {
    try {
      const stat = await this.#disk.stat(this.#path);
      if (stat === undefined) return { reason: 'it does not exist' };
      if (stat.bytes > MEMBER_LIST_BYTES_MAX) return { reason: `it has more than ${MEMBER_LIST_BYTES_MAX} bytes` };
      const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(await this.#disk.read(this.#path));
      return { text, ageMs: this.#host.clock.now() - stat.modifiedMs };
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#readIn(REREAD_MS);
      return { reason: error.message };
    }
  }

  #take(text: string, ageMs: number): void {
    this.#hasBeenRead = true;
    const judgement = this.#judge.judge(text, ageMs, this.#host.clock.monotonic());
    switch (judgement.kind) {
      case 'obey': {
        const { list } = judgement;
        this.lastRefusal = undefined;
        const { generation, members } = list;
        this.#log.info('a member list is obeyed', { file: this.#path, generation: generation ?? 'none', members });
        this.#obey(list);
        return;
      }
      case 'same':
        this.lastRefusal = undefined;
        return;
      case 'wait':
        this.#readIn(judgement.waitMs);
        return;
      case 'refuse':
        this.#refuse(judgement.reason, judgement.isNews);
        return;
    }
  }

  #refuse(reason: string, isNews: boolean): void {
    if (!isNews) return;
    const kept = this.#judge.inForce?.members;
    // A file that is not there yet is no list that was refused.
    if (kept !== undefined || this.#hasBeenRead) this.refusals++;
    if (this.lastRefusal === reason) return;
    this.lastRefusal = reason;
    this.#log.warn(`the member list is not obeyed: ${reason}`, { file: this.#path, kept: kept ?? 'none yet' });
  }
}
