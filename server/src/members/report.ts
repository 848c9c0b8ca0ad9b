import { badRequest } from '@nacos-kube/core/http/protocol-error.ts';
import { MEMBERS_MAX } from '@nacos-kube/core/model/member-list.ts';

/** `starting` owns nothing yet, `leaving` nothing any more; neither says whether clients may come. */
export type Phase = 'starting' | 'running' | 'leaving';

/** What a member says of itself, to every other one, again and again. */
export interface Report {
  readonly from: string;
  /** Another one after each start. */
  readonly run: string;
  readonly version: string;
  readonly phase: Phase;
  /** Of its member list. */
  readonly generation: number | null;
  readonly listHash: string;
  /** Peers that it reaches. */
  readonly sees: readonly string[];
  /** Whatever the other parts of a member tell: the revision of the store that it has, digests. */
  readonly facts: Facts;
}

export type Facts = Readonly<Record<string, Fact>>;
export type Fact = number | string | boolean;

/** The answer to a report: the peer's own, so one exchange tells both. */
export interface ReportAnswer {
  /** False: the peer's list does not hold us. */
  readonly isListed: boolean;
  readonly report: Report;
}

export const FACTS_MAX = 64;
const TEXT_MAX = 512;

/** Throws `ProtocolError` 400 with what is wrong. Only members get here, so this guards against mistakes. */
export function decodeReport(value: unknown): Report {
  const fields = object(value, 'a report');
  const { from, run, version, phase, generation, listHash, sees, facts } = fields;
  if (phase !== 'starting' && phase !== 'running' && phase !== 'leaving') throw badRequest('phase is none');
  if (generation !== null && !Number.isSafeInteger(generation)) throw badRequest('generation is no number');
  if (!Array.isArray(sees) || sees.length > MEMBERS_MAX) throw badRequest('sees is no list of members');
  return {
    from: shortText(from, 'from'),
    run: shortText(run, 'run'),
    version: shortText(version, 'version'),
    phase,
    generation: generation as number | null,
    listHash: shortText(listHash, 'listHash'),
    sees: sees.map((one) => shortText(one, 'sees')),
    facts: decodeFacts(facts),
  };
}

export function decodeReportAnswer(value: unknown): ReportAnswer {
  const { isListed, report } = object(value, 'an answer to a report');
  if (typeof isListed !== 'boolean') throw badRequest('isListed is neither true nor false');
  return { isListed, report: decodeReport(report) };
}

/** What other parts tell, fit to be sent: too much of it is a mistake of ours, not of a peer. */
export function checkedFacts(facts: Facts): Facts {
  return decodeFacts(facts);
}

function decodeFacts(value: unknown): Facts {
  const entries = Object.entries(object(value, 'facts'));
  if (entries.length > FACTS_MAX) throw badRequest(`there are ${entries.length} facts, ${FACTS_MAX} are the most`);
  for (const [name, fact] of entries) {
    if (!/^[A-Za-z]\w{0,63}$/.test(name)) throw badRequest('a fact has no proper name');
    if (typeof fact === 'string') shortText(fact, name);
    else if (typeof fact !== 'boolean' && !Number.isFinite(fact)) throw badRequest(`${name} is no fact`);
  }
  return Object.fromEntries(entries) as Facts;
}

function object(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badRequest(`${what} is no object`);
  return value as Readonly<Record<string, unknown>>;
}

function shortText(value: unknown, what: string): string {
  if (typeof value !== 'string' || value.length > TEXT_MAX) throw badRequest(`${what} is no short text`);
  return value;
}
