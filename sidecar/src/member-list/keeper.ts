import { dirname } from 'node:path';
import { BackOff } from '@nacos-kube/core/back-off.ts';
import { DiskError, type Host, type Log, type Timer } from '@nacos-kube/core/host/host.ts';
import {
  encodeMemberList,
  MEMBER_LIST_BYTES_MAX,
  type MemberList,
  type ParsedMemberList,
  parseMemberList,
} from '@nacos-kube/core/model/member-list.ts';
import { decideList, REFUSAL_KINDS, type RefusalKind } from './decide.ts';

const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 30_000;
/** Until then the node has seen, and refused, what is wrong; and who changes the file all the time is answered no faster. */
export const REPAIR_AFTER_MS = 1_000;

/**
 * The one writer of cluster.conf. It writes the best list it was ever offered, and tries again when the disk fails;
 * meanwhile a better one takes its place. What anybody else makes of the file is put right.
 */
export class MemberListKeeper {
  readonly #host: Host;
  readonly #file: string;
  readonly #log: Log;
  readonly #backOff: BackOff;
  readonly refusals = new Map<RefusalKind, number>(REFUSAL_KINDS.map((kind) => [kind, 0]));
  #written: ParsedMemberList | undefined;
  #pending: MemberList | undefined;
  #isWriting = false;
  #repairs = 0;
  #retry: Timer | undefined;
  #watch: Timer | undefined;
  #repair: Timer | undefined;
  #isStopped = false;

  constructor(host: Host, file: string) {
    this.#host = host;
    this.#file = file;
    this.#log = host.log.area('member-list');
    this.#backOff = new BackOff(host.random, RETRY_FIRST_MS, RETRY_MAX_MS);
  }

  /** Looks at what an earlier run left, and from then on whether the file stays as it was written. */
  async start(): Promise<void> {
    const text = await readList(this.#host, this.#file);
    if (text !== undefined) this.#written = parseMemberList(text);
    this.#watch = this.#host.disk.watch(dirname(this.#file), () =>
      this.#host.background('checking the member list', this.#check()),
    );
  }

  stop(): void {
    this.#isStopped = true;
    this.#watch?.cancel();
    this.#repair?.cancel();
    this.#retry?.cancel();
  }

  /** How often the file was found otherwise than it was written. */
  get repairs(): number {
    return this.#repairs;
  }

  /** Generation in the file; undefined as long as there is no sealed list, and so nothing for a node to start with. */
  get generation(): number | undefined {
    return this.#written?.kind === 'sealed' ? this.#written.generation : undefined;
  }

  offer(text: string, from: string): void {
    const best: ParsedMemberList | undefined =
      this.#pending === undefined ? this.#written : { kind: 'sealed', ...this.#pending };
    const decision = decideList(best, parseMemberList(text));
    switch (decision.kind) {
      case 'keep':
        return;
      case 'refuse':
        this.refusals.set(decision.why, (this.refusals.get(decision.why) ?? 0) + 1);
        // A mounted file lags behind the API for a minute or two after each change, as a rule.
        if (decision.why === 'older') this.#log.debug('an older member list is left alone', { from });
        else this.#log.warn('a member list is refused, the last one stays', { from, reason: decision.reason });
        return;
      case 'write':
        this.#pending = { generation: decision.generation, members: decision.members };
        this.#log.info('a member list came', { from, generation: decision.generation, members: decision.members });
        this.#host.background('writing the member list', this.#write());
    }
  }

  async #check(): Promise<void> {
    if (this.#repair !== undefined || !(await this.#isSpoilt()) || this.#isStopped) return;
    this.#repair ??= this.#host.clock.after(REPAIR_AFTER_MS, () => {
      this.#repair = undefined;
      this.#host.background('repairing the member list', this.#writeAgain());
    });
  }

  async #writeAgain(): Promise<void> {
    const list = this.#written;
    if (list?.kind !== 'sealed' || !(await this.#isSpoilt()) || this.#isStopped) return;
    this.#repairs++;
    const { generation, members } = list;
    this.#log.warn('somebody else changed the member list, writing it again', { file: this.#file, generation });
    this.#pending ??= { generation, members };
    await this.#write();
  }

  /** Whether the file is otherwise than it was written. What is being written replaces it anyway. */
  async #isSpoilt(): Promise<boolean> {
    const list = this.#written;
    if (list?.kind !== 'sealed' || this.#pending !== undefined) return false;
    try {
      const text = await readList(this.#host, this.#file);
      return text !== encodeMemberList(list) && this.#written === list && this.#pending === undefined;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#log.warn('the member list cannot be read back', { file: this.#file, error });
      return true;
    }
  }

  async #write(): Promise<void> {
    if (this.#isWriting || this.#isStopped) return;
    this.#isWriting = true;
    this.#retry?.cancel();
    try {
      while (this.#pending !== undefined) {
        const list = this.#pending;
        await this.#host.disk.write(this.#file, encodeMemberList(list), { sync: true, mode: 0o644 });
        this.#written = { kind: 'sealed', ...list };
        this.#backOff.reset();
        if (this.#pending === list) this.#pending = undefined;
      }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#log.error('the member list cannot be written, trying again', { file: this.#file, error });
      this.#retry = this.#host.clock.after(this.#backOff.nextMs(), () =>
        this.#host.background('writing the member list', this.#write()),
      );
    } finally {
      this.#isWriting = false;
    }
  }
}

/** Undefined when there is none. Of a file beyond all measure only so much is taken that it is refused for its length. */
export async function readList(host: Host, file: string): Promise<string | undefined> {
  try {
    const bytes = await host.disk.read(file);
    return new TextDecoder().decode(bytes.subarray(0, MEMBER_LIST_BYTES_MAX + 1));
  } catch (error) {
    if (error instanceof DiskError && error.kind === 'missing') return undefined;
    throw error;
  }
}
