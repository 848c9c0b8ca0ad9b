import { createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { HttpRequest, HttpResponse } from '@nacos-kube/core/host/host.ts';
import { bodyBytes } from '@nacos-kube/core/http/answers.ts';
import { ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import { SequenceWindows } from './sequence-windows.ts';

/** How far the wall clocks of members may be apart. */
export const CLOCK_WINDOW_MS = 5 * 60_000;
/** Two, so that a key can be changed one member at a time: the first signs, both are accepted. */
export const CLUSTER_KEYS_MAX = 2;
export const CLUSTER_KEY_CHARS_MIN = 32;
const KEY_DISTINCT_CHARS_MIN = 8;

export const MEMBER_HEADER = 'x-nacos-kube-member';
/** Wall clock of the sender, signed with the rest. */
export const TIME_HEADER = 'x-nacos-kube-time';
const NONCE_HEADER = 'x-nacos-kube-nonce';
const SIGNATURE_HEADER = 'x-nacos-kube-signature';

/** Why a request was denied; for counting, never for the answer. */
export type Denial = 'unsigned' | 'clock' | 'signature' | 'replay';

export interface PeerAuthOptions {
  /** This member, as its peers address it. */
  readonly self: string;
  readonly keys: readonly string[];
  /** Sixteen hex digits that no other run of any member has. */
  readonly run: string;
  readonly nowMs: () => number;
}

export interface SignedCall {
  readonly to: string;
  readonly method: string;
  /** Path with query. */
  readonly target: string;
  readonly body: string | Uint8Array;
}

export interface Signature {
  readonly headers: Readonly<Record<string, string>>;
  readonly nonce: string;
}

/**
 * Who holds the cluster's key, proven per request by an HMAC over what is asked, of whom, by whom, when and for the
 * how-manieth time, and per answer by one over the answer to that very request: so neither a stranger nor what has
 * taken over the address of a gone member is ever believed (S1).
 */
export class PeerAuth {
  readonly #self: string;
  readonly #run: string;
  readonly #nowMs: () => number;
  readonly #keys: readonly KeyObject[];
  readonly #windows = new SequenceWindows(2 * CLOCK_WINDOW_MS);
  readonly #sequences = new Map<string, number>();
  readonly denials: Record<Denial, number> = { unsigned: 0, clock: 0, signature: 0, replay: 0 };

  constructor({ self, keys, run, nowMs }: PeerAuthOptions) {
    const problem = keysProblem(keys);
    if (problem !== undefined) throw new Error(problem);
    this.#self = self;
    this.#run = run;
    this.#nowMs = nowMs;
    this.#keys = keys.map((key) => createSecretKey(key, 'utf8'));
  }

  signRequest({ to, method, target, body }: SignedCall): Signature {
    const sequence = (this.#sequences.get(to) ?? 0) + 1;
    this.#sequences.set(to, sequence);
    const timeMs = String(this.#nowMs());
    const nonce = `${this.#run}.${sequence}`;
    const signature = sign(
      this.#signingKey,
      requestText({ to, method, target, body, from: this.#self, timeMs, nonce }),
    );
    return {
      nonce,
      headers: {
        [MEMBER_HEADER]: this.#self,
        [TIME_HEADER]: timeMs,
        [NONCE_HEADER]: nonce,
        [SIGNATURE_HEADER]: signature,
      },
    };
  }

  /** Throws 401, always the same, unless a member signed this request for this member, now and for the first time. */
  verifyRequest(request: Pick<HttpRequest, 'method' | 'path' | 'query' | 'headers' | 'body'>): void {
    const denial = this.#judge(request);
    if (denial === undefined) return;
    this.denials[denial]++;
    throw new ProtocolError(401, 'unauthorized');
  }

  /** The answer with a proof that this member gave it to this request; requests of others get it as it is. */
  sealAnswer(request: Pick<HttpRequest, 'headers'>, answer: HttpResponse): HttpResponse {
    const nonce = request.headers[NONCE_HEADER];
    // A denied caller must not make this member sign: it could show the proof to somebody who waits for it.
    if (nonce === undefined || answer.status === 401 || this.#keys.length === 0) return answer;
    const proof = sign(this.#signingKey, answerText(nonce, this.#self, answer.status, bodyBytes(answer)));
    return { ...answer, headers: { ...answer.headers, [SIGNATURE_HEADER]: proof } };
  }

  isAnswerOf(
    peer: string,
    { nonce }: Signature,
    answer: {
      readonly status: number;
      readonly headers: Readonly<Record<string, string | undefined>>;
      readonly body: Uint8Array;
    },
  ): boolean {
    const proof = answer.headers[SIGNATURE_HEADER];
    return proof !== undefined && this.#isSigned(answerText(nonce, peer, answer.status, answer.body), proof);
  }

  #judge({ method, path, query, headers, body }: Parameters<PeerAuth['verifyRequest']>[0]): Denial | undefined {
    const { [MEMBER_HEADER]: from, [TIME_HEADER]: timeMs, [NONCE_HEADER]: nonce, [SIGNATURE_HEADER]: proof } = headers;
    if (from === undefined || timeMs === undefined || nonce === undefined || proof === undefined) return 'unsigned';
    const [, run, sequence] = /^([0-9a-f]{16})\.([1-9]\d{0,14})$/.exec(nonce) ?? [];
    if (run === undefined || sequence === undefined || !/^\d{1,15}$/.test(timeMs)) return 'unsigned';
    const nowMs = this.#nowMs();
    if (Math.abs(nowMs - Number(timeMs)) > CLOCK_WINDOW_MS) return 'clock';
    const target = query === '' ? path : `${path}?${query}`;
    const text = requestText({ to: this.#self, method, target, body, from, timeMs, nonce });
    if (!this.#isSigned(text, proof)) return 'signature';
    return this.#windows.isNew(`${from} ${run}`, Number(sequence), nowMs) ? undefined : 'replay';
  }

  #isSigned(text: string, proof: string): boolean {
    const given = Buffer.from(proof, 'base64url');
    let isSigned = false;
    for (const key of this.#keys) {
      const right = createHmac('sha256', key).update(text).digest();
      if (given.length === right.length && timingSafeEqual(given, right)) isSigned = true;
    }
    return isSigned;
  }

  get #signingKey(): KeyObject {
    const [key] = this.#keys;
    if (key === undefined) throw new Error('a node without a cluster key signs nothing');
    return key;
  }
}

/** What is wrong with the keys of a cluster, or undefined; none at all is for nodes on their own. */
export function keysProblem(keys: readonly string[]): string | undefined {
  if (keys.length > CLUSTER_KEYS_MAX) return `there may be ${CLUSTER_KEYS_MAX} cluster keys, not ${keys.length}`;
  for (const key of keys) {
    if (key.length < CLUSTER_KEY_CHARS_MIN)
      return `a cluster key must have at least ${CLUSTER_KEY_CHARS_MIN} characters`;
    if (KNOWN.some((known) => key.includes(known))) return 'the cluster key is a value that everybody knows, make one';
    if (new Set(key).size < KEY_DISTINCT_CHARS_MIN) return 'the cluster key repeats itself, make a random one';
  }
  return undefined;
}

/** Keys out of manuals, images and advisories of the reference (S3), and what stands in examples. */
const KNOWN: readonly string[] = [
  'SecretKey012345678901234567890123456789',
  'U2VjcmV0S2V5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw',
  'ThisIsMyCustomSecretKey0123456',
  'VGhpc0lzTXlDdXN0b21TZWNyZXRLZXkwMTIzNDU2',
  'serverIdentity',
  'changeme',
  'change-me',
  '0123456789abcdef0123456789abcdef',
  '01234567890123456789012345678901',
];

interface RequestParts extends SignedCall {
  readonly from: string;
  readonly timeMs: string;
  readonly nonce: string;
}

/** None of the parts before the last can hold a line end, so no two requests have one text. */
function requestText({ method, target, to, from, timeMs, nonce, body }: RequestParts): string {
  return `nacos-kube request\n${method}\n${target}\n${to}\n${from}\n${timeMs}\n${nonce}\n${hash('sha256', body)}`;
}

function answerText(nonce: string, from: string, status: number, body: string | Uint8Array): string {
  return `nacos-kube answer\n${nonce}\n${from}\n${status}\n${hash('sha256', body)}`;
}

function sign(key: KeyObject, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url');
}
