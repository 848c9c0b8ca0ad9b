import type { GroupKey } from '@nacos-kube/core/wire/config-key.ts';
import { ownText } from './own-text.ts';

/**
 * Which clients wait for which configurations, and when each is answered.
 *
 * A poll is held only while all its keys are as the client has them, so it waits for the first change of any of
 * them and no md5 needs keeping. (Fixed polling, which a switch selects, waits for its time alone.) States of a poll: held > answered (a key changed, its time is over, the node
 * drains) or forgotten (the client went away). Nothing of the request is kept but references to shared key texts.
 */
export type PollId = number;

export type PollEvent =
  | {
      readonly kind: 'hold';
      readonly poll: PollId;
      readonly clientIp: string;
      /** The header by which the client may see other contents than others do. */
      readonly tag: string | undefined;
      readonly keys: Iterable<GroupKey>;
      /** Answered at its time and not before, whatever changes. */
      readonly isFixed: boolean;
      readonly holdMs: number;
      /** In [0, 1): how much of the allowed part of the hold is left off, so that clients do not return as one. */
      readonly jitter: number;
    }
  /**
   * What the configuration is to some clients is another one now, or it appeared or went; `ips`: to clients at these
   * addresses alone.
   */
  | { readonly kind: 'changed'; readonly groupKey: GroupKey; readonly ips?: ReadonlySet<string> }
  | { readonly kind: 'gone'; readonly poll: PollId }
  | { readonly kind: 'tick' }
  /** Every poll is answered as unchanged, so that clients compare anew. */
  | { readonly kind: 'release' }
  /** As `release`, and from now on none is held for long. */
  | { readonly kind: 'drain' };

export type PollEffect =
  /** `changed` is told to all of them; undefined: nothing changed. */
  | { readonly kind: 'answer'; readonly polls: readonly PollId[]; readonly changed: GroupKey | undefined }
  | { readonly kind: 'refuse'; readonly poll: PollId; readonly reason: string };

export interface PollBounds {
  readonly polls: number;
  readonly pollsPerAddress: number;
  /** Keys summed over all polls. */
  readonly heldKeys: number;
  /** Characters of the different keys. */
  readonly keyCharacters: number;
}

export const POLLS_MAX = 20_000;
/** Generous, since all clients behind one proxy have one address. */
export const POLLS_PER_ADDRESS_MAX = 10_000;
export const HELD_KEYS_MAX = 2_000_000;
export const HELD_KEY_CHARACTERS_MAX = 64 * 1024 * 1024;
export const POLL_BOUNDS: PollBounds = {
  polls: POLLS_MAX,
  pollsPerAddress: POLLS_PER_ADDRESS_MAX,
  heldKeys: HELD_KEYS_MAX,
  keyCharacters: HELD_KEY_CHARACTERS_MAX,
};

/** Holds end up to this part earlier; never later, for the client stops reading soon after. */
export const HOLD_JITTER = 0.05;
export const POLL_TICK_MS = 200;
/** While the node drains: a refusal would be an error to clients that know one address alone, an answer at once a loop. */
export const DRAIN_HOLD_MS = 1_000;
/** No configuration has a longer key, so none longer can change: data id, group, namespace and two signs. */
const KEY_LENGTH_MAX = 255 + 128 + 128 + 2;

interface Watch {
  readonly groupKey: GroupKey;
  readonly polls: Set<Poll>;
}

interface Poll {
  readonly id: PollId;
  readonly clientIp: string;
  readonly tag: string | undefined;
  /** Of a fixed poll none: no change concerns it. */
  readonly watches: readonly Watch[];
  readonly keys: number;
  readonly endTick: number;
}

/** Who waits for a key, as far as it decides what they see. */
export type Holder = Pick<Poll, 'clientIp' | 'tag'>;

export class LongPollMachine {
  readonly #bounds: PollBounds;
  readonly #polls = new Map<PollId, Poll>();
  readonly #watches = new Map<GroupKey, Watch>();
  readonly #ends = new Map<number, Set<Poll>>();
  readonly #addresses = new Map<string, number>();
  #heldKeys = 0;
  #keyCharacters = 0;
  #isDraining = false;

  constructor(bounds: PollBounds = POLL_BOUNDS) {
    this.#bounds = bounds;
  }

  get held(): number {
    return this.#polls.size;
  }

  get heldKeys(): number {
    return this.#heldKeys;
  }

  get watchedKeys(): number {
    return this.#watches.size;
  }

  step(event: PollEvent, nowMs: number): readonly PollEffect[] {
    switch (event.kind) {
      case 'hold':
        return this.#hold(event, nowMs);
      case 'changed':
        return this.#answer(this.#concerned(event.groupKey, event.ips), event.groupKey);
      case 'gone':
        return this.#forget(event.poll);
      case 'tick':
        return this.#answer(this.#due(nowMs), undefined);
      case 'drain':
        this.#isDraining = true;
        return this.#answer(this.#polls.values(), undefined);
      case 'release':
        return this.#answer(this.#polls.values(), undefined);
    }
  }

  holders(key: GroupKey): Iterable<Holder> {
    return this.#watches.get(key)?.polls ?? [];
  }

  /** Every key that clients at the address wait for, with who they are. */
  *heldBy(clientIp: string): Generator<readonly [GroupKey, Holder]> {
    if (!this.#addresses.has(clientIp)) return;
    for (const poll of this.#polls.values()) {
      if (poll.clientIp !== clientIp) continue;
      for (const { groupKey } of poll.watches) yield [groupKey, poll];
    }
  }

  #concerned(key: GroupKey, ips: ReadonlySet<string> | undefined): Iterable<Poll> {
    const polls = this.#watches.get(key)?.polls ?? [];
    return ips === undefined ? polls : [...polls].filter(({ clientIp }) => ips.has(clientIp));
  }

  #hold(event: Extract<PollEvent, { kind: 'hold' }>, nowMs: number): readonly PollEffect[] {
    const keys = [...event.keys].filter((key) => key.length <= KEY_LENGTH_MAX);
    const reason = this.#refusal(event.clientIp, keys);
    if (reason !== undefined) return [{ kind: 'refuse', poll: event.poll, reason }];
    const holdMs = this.#isDraining ? Math.min(event.holdMs, DRAIN_HOLD_MS) : event.holdMs;
    const endMs = nowMs + holdMs * (1 - HOLD_JITTER * event.jitter);
    const poll: Poll = {
      id: event.poll,
      clientIp: event.clientIp,
      tag: event.tag,
      watches: event.isFixed ? [] : keys.map((key) => this.#watch(key)),
      keys: keys.length,
      endTick: Math.floor(endMs / POLL_TICK_MS),
    };
    for (const watch of poll.watches) watch.polls.add(poll);
    this.#polls.set(poll.id, poll);
    this.#heldKeys += poll.keys;
    this.#addresses.set(poll.clientIp, (this.#addresses.get(poll.clientIp) ?? 0) + 1);
    const sameEnd = this.#ends.get(poll.endTick);
    if (sameEnd === undefined) this.#ends.set(poll.endTick, new Set([poll]));
    else sameEnd.add(poll);
    return [];
  }

  #refusal(clientIp: string, keys: readonly GroupKey[]): string | undefined {
    const { polls, pollsPerAddress, heldKeys, keyCharacters } = this.#bounds;
    if (this.#polls.size >= polls) return `too many long polls, over ${polls}`;
    if ((this.#addresses.get(clientIp) ?? 0) >= pollsPerAddress) {
      return `too many long polls from one address, over ${pollsPerAddress}`;
    }
    if (this.#heldKeys + keys.length > heldKeys) return `too many keys in long polls, over ${heldKeys}`;
    const fresh = keys.reduce((sum, key) => sum + (this.#watches.has(key) ? 0 : key.length), this.#keyCharacters);
    return fresh > keyCharacters ? 'too many different keys in long polls' : undefined;
  }

  #watch(key: GroupKey): Watch {
    const known = this.#watches.get(key);
    if (known !== undefined) return known;
    const watch: Watch = { groupKey: ownText(key), polls: new Set() };
    this.#watches.set(watch.groupKey, watch);
    this.#keyCharacters += key.length;
    return watch;
  }

  #due(nowMs: number): readonly Poll[] {
    const tick = Math.floor(nowMs / POLL_TICK_MS);
    return [...this.#ends].filter(([end]) => end <= tick).flatMap(([, polls]) => [...polls]);
  }

  #answer(polls: Iterable<Poll>, changed: GroupKey | undefined): readonly PollEffect[] {
    const answered = [...polls];
    if (answered.length === 0) return [];
    for (const poll of answered) this.#free(poll);
    return [{ kind: 'answer', polls: answered.map((poll) => poll.id), changed }];
  }

  #forget(id: PollId): readonly PollEffect[] {
    const poll = this.#polls.get(id);
    if (poll !== undefined) this.#free(poll);
    return [];
  }

  #free(poll: Poll): void {
    this.#polls.delete(poll.id);
    this.#heldKeys -= poll.keys;
    for (const watch of poll.watches) {
      watch.polls.delete(poll);
      if (watch.polls.size > 0) continue;
      this.#watches.delete(watch.groupKey);
      this.#keyCharacters -= watch.groupKey.length;
    }
    const sameEnd = this.#ends.get(poll.endTick);
    sameEnd?.delete(poll);
    if (sameEnd?.size === 0) this.#ends.delete(poll.endTick);
    const ofAddress = (this.#addresses.get(poll.clientIp) ?? 0) - 1;
    if (ofAddress > 0) this.#addresses.set(poll.clientIp, ofAddress);
    else this.#addresses.delete(poll.clientIp);
  }
}
