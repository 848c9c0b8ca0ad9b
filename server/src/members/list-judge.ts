import { peerPort } from '@nacos-kube/core/model/member.ts';
import {
  memberListHash,
  type ParsedMemberList,
  parseMemberList,
  splitMemberAddress,
} from '@nacos-kube/core/model/member-list.ts';
import type { ListInForce } from './machine.ts';

/** A list without a seal may be half-written however whole it looks: it has to stand still for so long. */
export const STABLE_MS = 2_000;

export type Judgement =
  | { readonly kind: 'obey'; readonly list: ListInForce }
  /** Nothing to do: it says what is in force. */
  | { readonly kind: 'same' }
  /** To be read again after `waitMs`. */
  | { readonly kind: 'wait'; readonly waitMs: number }
  /** The list in force stays; `isNews` is false for a text that was refused before. */
  | { readonly kind: 'refuse'; readonly reason: string; readonly isNews: boolean };

/**
 * Decides which texts of a cluster.conf are obeyed (F17). A sealed one if it is newer than the sealed one in force; one
 * made by hand if none was sealed before, once it has stood still; none that does not hold this member, or is damaged.
 */
export class ListJudge {
  readonly #self: string;
  #inForce: ListInForce | undefined;
  #candidate: { readonly text: string; readonly sinceMs: number } | undefined;
  #refusedText: string | undefined;

  constructor(self: string) {
    this.#self = self;
  }

  get inForce(): ListInForce | undefined {
    return this.#inForce;
  }

  /** `ageMs`: for how long the file has not changed, as far as its time says. */
  judge(text: string, ageMs: number, nowMs: number): Judgement {
    const parsed = parseMemberList(text);
    const reason = this.#refusal(parsed);
    if (reason !== undefined || parsed.kind === 'refused') {
      const isNews = this.#refusedText !== text;
      this.#refusedText = text;
      this.#candidate = undefined;
      return { kind: 'refuse', reason: reason ?? '', isNews };
    }
    this.#refusedText = undefined;
    const list: ListInForce = {
      members: parsed.members,
      generation: parsed.kind === 'sealed' ? parsed.generation : null,
      hash: memberListHash(parsed.members),
    };
    if (this.#inForce?.hash === list.hash && this.#inForce.generation === list.generation) return { kind: 'same' };
    const waitMs = parsed.kind === 'sealed' ? 0 : this.#waitMs(text, ageMs, nowMs);
    if (waitMs > 0) return { kind: 'wait', waitMs };
    this.#candidate = undefined;
    this.#inForce = list;
    return { kind: 'obey', list };
  }

  #refusal(parsed: ParsedMemberList): string | undefined {
    if (parsed.kind === 'refused') return parsed.reason;
    if (!parsed.members.includes(this.#self)) return `it does not name this member, ${this.#self}`;
    const low = parsed.members.find((member) => peerPort(splitMemberAddress(member).port) < 1);
    if (low !== undefined) return `the port of ${low} leaves none below it for peers`;
    const inForce = this.#inForce?.generation ?? null;
    if (inForce === null) return undefined;
    if (parsed.kind === 'bare') return `it has no header, and generation ${inForce} in force has one`;
    if (parsed.generation < inForce) return `its generation ${parsed.generation} is older than ${inForce} in force`;
    if (parsed.generation === inForce && memberListHash(parsed.members) !== this.#inForce?.hash) {
      return `its generation ${parsed.generation} is in force with other members`;
    }
    return undefined;
  }

  #waitMs(text: string, ageMs: number, nowMs: number): number {
    if (this.#candidate?.text !== text) this.#candidate = { text, sinceMs: nowMs };
    // The time of a file is another machine's word at times: good enough to start quickly, not to replace a list.
    const stableMs = Math.max(nowMs - this.#candidate.sinceMs, this.#inForce === undefined ? ageMs : 0);
    return Math.max(0, STABLE_MS - stableMs);
  }
}
