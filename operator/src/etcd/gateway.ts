import { type Endpoint, type Host, type InboundResponse, NetworkError } from '@nacos-kube/core/host/host.ts';

/** One call; a member that takes longer is taken for silent. */
export const CALL_TIMEOUT_MS = 2_000;
/** Defragmenting 8 GiB takes this long on a slow disk. */
const DEFRAGMENT_TIMEOUT_MS = 120_000;
const ANSWER_BYTES_MAX = 1024 * 1024;
const MEMBERS_MAX = 64;
const ALARMS_MAX = 64;
/** One token for each cluster that is looked after. */
const TOKENS_MAX = 1_000;
/** One that was good for nothing for so long may be why nobody answers. */
const TOKEN_DOUBTED_MS = 5_000;

/** A member as etcd knows it. Numbers have 64 bits, so they stay texts. */
export interface EtcdMember {
  readonly id: string;
  /** Empty from `addMember` until it has started. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  /** Empty until it has started. */
  readonly clientUrls: readonly string[];
  /** It copies what the others have and does not count for the quorum. */
  readonly isLearner: boolean;
}

export interface EtcdMembership {
  readonly clusterId: string;
  readonly members: readonly EtcdMember[];
}

export interface EtcdStatus {
  readonly clusterId: string;
  readonly memberId: string;
  /** `0` while there is none. */
  readonly leaderId: string;
  readonly version: string;
  readonly dbBytes: number;
  readonly dbBytesInUse: number;
}

export interface EtcdAlarm {
  readonly memberId: string;
  readonly alarm: 'NOSPACE' | 'CORRUPT';
}

export interface EtcdLogin {
  readonly user: string;
  readonly password: string;
}

/** etcd answered, and refused. `code` is that of gRPC. */
export class EtcdError extends Error {
  override readonly name = 'EtcdError';
  readonly status: number;
  readonly code: number;
  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export class EtcdLoginError extends EtcdError {}

const UNAUTHENTICATED = 16;

/**
 * The few calls of etcd 3.4 to 3.6 that running it takes, by its gateway for HTTP and JSON: so plain requests of the
 * host do, and nothing of gRPC is needed. Calls reject with `NetworkError` or `EtcdError`.
 */
export class EtcdGateway {
  readonly #host: Host;
  /** By login, for a token costs each member the work of a password hash. */
  readonly #tokens = new Map<string, Token>();

  constructor(host: Host) {
    this.#host = host;
  }

  /** As this member knows them after it was asked for a linearizable read: so with a quorum, and up to date. */
  async members(at: Endpoint, login: EtcdLogin): Promise<readonly EtcdMember[]> {
    return (await this.membership(at, login)).members;
  }

  /** The same, and which cluster of members it is. */
  async membership(at: Endpoint, login: EtcdLogin): Promise<EtcdMembership> {
    // In 3.4 the list itself is what the member has, be it cut off; the read before it is not answered then.
    await this.#guarded(at, '/v3/kv/range', { key: 'AA==', limit: '1', keys_only: true }, login);
    const answer = await this.#guarded(at, '/v3/cluster/member/list', {}, login);
    const clusterId = textOf((answer['header'] as Json | undefined)?.['cluster_id']);
    return { clusterId, members: listOf(answer['members']).slice(0, MEMBERS_MAX).map(memberOf) };
  }

  /** What the member says of itself, quorum or not. */
  async status(at: Endpoint, login: EtcdLogin): Promise<EtcdStatus> {
    const answer = await this.#guarded(at, '/v3/maintenance/status', {}, login);
    const header = answer['header'] as Json | undefined;
    const dbBytes = Number(answer['dbSize'] ?? 0);
    return {
      clusterId: textOf(header?.['cluster_id']),
      memberId: textOf(header?.['member_id']),
      leaderId: textOf(answer['leader']) || '0',
      version: textOf(answer['version']).slice(0, 64),
      dbBytes,
      dbBytesInUse: Number(answer['dbSizeInUse'] ?? dbBytes),
    };
  }

  async alarms(at: Endpoint, login: EtcdLogin): Promise<readonly EtcdAlarm[]> {
    const answer = await this.#guarded(at, '/v3/maintenance/alarm', { action: 'GET' }, login);
    return listOf(answer['alarms'])
      .slice(0, ALARMS_MAX)
      .flatMap(({ memberID, alarm }) =>
        alarm === 'NOSPACE' || alarm === 'CORRUPT' ? [{ memberId: textOf(memberID), alarm }] : [],
      );
  }

  async disarm(at: Endpoint, login: EtcdLogin, { memberId, alarm }: EtcdAlarm): Promise<void> {
    await this.#guarded(at, '/v3/maintenance/alarm', { action: 'DEACTIVATE', memberID: memberId, alarm }, login);
  }

  /** As a learner: the quorum stays what it is until this one is promoted. */
  async addLearner(at: Endpoint, login: EtcdLogin, peerUrl: string): Promise<void> {
    await this.#guarded(at, '/v3/cluster/member/add', { peerURLs: [peerUrl], isLearner: true }, login);
  }

  /** From now on the learner counts for the quorum. Refused until it has what the others have. */
  async promoteMember(at: Endpoint, login: EtcdLogin, id: string): Promise<void> {
    await this.#guarded(at, '/v3/cluster/member/promote', { ID: id }, login);
  }

  async removeMember(at: Endpoint, login: EtcdLogin, id: string): Promise<void> {
    await this.#guarded(at, '/v3/cluster/member/remove', { ID: id }, login);
  }

  /** Only the leader can do it. */
  async moveLeader(leader: Endpoint, login: EtcdLogin, id: string): Promise<void> {
    await this.#guarded(leader, '/v3/maintenance/transfer-leadership', { targetID: id }, login);
  }

  /** The member answers nothing meanwhile. */
  async defragment(at: Endpoint, login: EtcdLogin): Promise<void> {
    await this.#guarded(at, '/v3/maintenance/defragment', {}, login, DEFRAGMENT_TIMEOUT_MS);
  }

  /** Whether the login is asked for. Rejects with `EtcdLoginError` when it is another one. */
  async isGuarded(at: Endpoint, login: EtcdLogin): Promise<boolean> {
    return (await this.#token(at, login)) !== undefined;
  }

  /** From now on nothing is answered without the login. May be repeated, also when it stopped half-way. */
  async guard(at: Endpoint, login: EtcdLogin): Promise<void> {
    const { user, password } = login;
    const steps: readonly [path: string, body: object][] = [
      ['/v3/auth/user/add', { name: user, password }],
      // What stands there from an earlier try may have another password.
      ['/v3/auth/user/changepw', { name: user, password }],
      ['/v3/auth/role/add', { name: 'root' }],
      ['/v3/auth/user/grant', { user, role: 'root' }],
      ['/v3/auth/enable', {}],
    ];
    for (const [path, body] of steps) {
      try {
        await this.#call(at, path, body);
      } catch (error) {
        if (!(error instanceof EtcdError && /already exists/.test(error.message))) throw error;
      }
    }
  }

  /**
   * With the token; once more with a fresh one, for they are forgotten after a while and by a member that restarts. A
   * member that has not come as far as the one that gave it keeps whoever shows it waiting: after a restore for ever.
   */
  async #guarded(at: Endpoint, path: string, body: object, login: EtcdLogin, timeoutMs?: number): Promise<Json> {
    const { clock } = this.#host;
    const known = this.#tokens.get(keyOf(login));
    try {
      const answer = await this.#call(at, path, body, known?.text ?? (await this.#token(at, login)), timeoutMs);
      const used = this.#tokens.get(keyOf(login));
      if (used) used.goodMs = clock.monotonic();
      return answer;
    } catch (error) {
      const isLate = error instanceof NetworkError && error.kind === 'timeout';
      const isDoubted = known !== undefined && clock.monotonic() - known.goodMs >= TOKEN_DOUBTED_MS;
      if (isLate && isDoubted && this.#tokens.get(keyOf(login)) === known) this.#tokens.delete(keyOf(login));
      if (known === undefined || !isTokenRefused(error)) throw error;
    }
    return await this.#call(at, path, body, await this.#token(at, login), timeoutMs);
  }

  /** Undefined while etcd asks for none. */
  async #token(at: Endpoint, login: EtcdLogin): Promise<string | undefined> {
    this.#tokens.delete(keyOf(login));
    try {
      const answer = await this.#call(at, '/v3/auth/authenticate', { name: login.user, password: login.password });
      const token = textOf(answer['token']);
      if (this.#tokens.size >= TOKENS_MAX) this.#tokens.clear();
      this.#tokens.set(keyOf(login), { text: token, goodMs: this.#host.clock.monotonic() });
      return token;
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      if (/authentication is not enabled/.test(error.message)) return undefined;
      if (/authentication failed/.test(error.message))
        throw new EtcdLoginError(error.status, error.code, error.message);
      throw error;
    }
  }

  async #call(at: Endpoint, path: string, body: object, token?: string, timeoutMs = CALL_TIMEOUT_MS): Promise<Json> {
    const answer = await this.#host.network.request({
      address: at.address,
      port: at.port,
      method: 'POST',
      path,
      headers: { 'content-type': 'application/json', ...(token === undefined ? {} : { authorization: token }) },
      body: JSON.stringify(body),
      connectTimeoutMs: CALL_TIMEOUT_MS,
      timeoutMs,
      bodyBytesMax: ANSWER_BYTES_MAX,
    });
    return decode(answer);
  }
}

interface Token {
  readonly text: string;
  /** When it was taken last. */
  goodMs: number;
}

type Json = Readonly<Record<string, unknown>>;

function decode({ status, body }: InboundResponse): Json {
  const text = new TextDecoder().decode(body);
  let json: Json;
  try {
    json = JSON.parse(text) as Json;
  } catch {
    throw new EtcdError(status, -1, `etcd answered ${status}: ${text.slice(0, 200).trim()}`);
  }
  if (status === 200) return json;
  const message = textOf(json['error']) || textOf(json['message']) || `etcd answered ${status}`;
  throw new EtcdError(status, Number(json['code'] ?? -1), message.slice(0, 500));
}

/** A learner is promoted when it has caught up: asked too early, which is no failure. */
export function isNotYetInSync(error: unknown): boolean {
  return error instanceof EtcdError && /in sync with leader/.test(error.message);
}

function isTokenRefused(error: unknown): boolean {
  if (!(error instanceof EtcdError)) return false;
  // "user name is empty": the guard was set up since the token was asked for.
  return (
    error.code === UNAUTHENTICATED || /invalid auth token|user name is empty|revision of auth store/.test(error.message)
  );
}

function memberOf({ ID, name, peerURLs, clientURLs, isLearner }: Json): EtcdMember {
  return {
    id: textOf(ID),
    name: textOf(name),
    peerUrls: textsOf(peerURLs),
    clientUrls: textsOf(clientURLs),
    isLearner: isLearner === true,
  };
}

function keyOf({ user, password }: EtcdLogin): string {
  return `${user}\n${password}`;
}

function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'object' && one !== null) : [];
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(textOf) : [];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
