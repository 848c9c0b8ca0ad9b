import { timingSafeEqual } from 'node:crypto';
import type { Host, HttpListener, HttpRequest } from '@nacos-kube/core/host/host.ts';
import { json } from '@nacos-kube/core/http/answers.ts';
import { createPipeline } from '@nacos-kube/core/http/pipeline.ts';
import { badRequest, ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import type { Policy, Route } from '@nacos-kube/core/http/route.ts';
import { LOOPBACK } from './layout.ts';
import type { Operation } from './operation.ts';
import type { ClusterStatus } from './status.ts';

export const STATUS_PATH = '/v1/status';
export const SCALE_PATH = '/v1/scale';
export const RESTART_PATH = '/v1/restart';
export const OPERATION_PATH = '/v1/operation';

export const TIMEOUT_SECONDS_MAX = 3_600;
const TOKEN_BYTES = 32;
const BODY_BYTES_MAX = 64 * 1024;
const STOP_GRACE_MS = 500;
const READ: Policy = { kind: 'read', area: 'operations' };
const WRITE: Policy = { kind: 'write', area: 'operations' };

/** Where the process that runs a cluster is spoken to, and what must be shown to it. */
export interface ControlFile {
  readonly pid: number;
  readonly port: number;
  readonly token: string;
}

export interface ScaleRequest {
  readonly replicas: number;
  readonly timeoutMs: number;
}

export interface RestartRequest {
  /** None: all. */
  readonly members: readonly string[];
  /** For each until it is back. */
  readonly timeoutMs: number;
}

/** What a running cluster does for those who may ask. The calls throw `ProtocolError` with what is wrong. */
export interface Controlled {
  status(): ClusterStatus;
  scale(request: ScaleRequest): Promise<Operation>;
  restart(request: RestartRequest): Operation;
  operation(id: number): Operation;
}

/**
 * The way in for the other commands of `up`: a port of the system's choice on loopback, named in a file that only its
 * owner can read, together with a token. So whoever may read the cluster's folder may steer it, and no web page can.
 */
export class Control {
  readonly #host: Host;
  readonly #file: string;
  readonly #controlled: Controlled;
  #listener: HttpListener | undefined;

  constructor(host: Host, file: string, controlled: Controlled) {
    this.#host = host;
    this.#file = file;
    this.#controlled = controlled;
  }

  async start(pid: number): Promise<void> {
    const token = Buffer.from(this.#host.random.bytes(TOKEN_BYTES)).toString('base64url');
    const handler = createPipeline({
      contextPath: '',
      routes: controlRoutes(this.#controlled),
      authorize: (_policy, request) => verifyToken(token, request),
      clientIp: (request) => request.remote.address,
      answerFailure: () => undefined,
      log: this.#host.log.area('control'),
    });
    const at = { address: LOOPBACK, port: 0, bodyBytesMax: BODY_BYTES_MAX };
    this.#listener = await this.#host.network.serve(at, handler);
    const content: ControlFile = { pid, port: this.#listener.port, token };
    await this.#host.disk.write(this.#file, `${JSON.stringify(content)}\n`, { sync: true, mode: 0o600 });
  }

  async stop(): Promise<void> {
    if (this.#listener === undefined) return;
    await this.#host.disk.remove(this.#file);
    await this.#listener.stop(STOP_GRACE_MS);
  }
}

function controlRoutes(controlled: Controlled): readonly Route[] {
  return [
    { method: 'GET', path: STATUS_PATH, policy: READ, handler: () => json(controlled.status()) },
    {
      method: 'POST',
      path: SCALE_PATH,
      policy: WRITE,
      handler: async ({ request }) => begun(await controlled.scale(decodeScale(request.body))),
    },
    {
      method: 'POST',
      path: RESTART_PATH,
      policy: WRITE,
      handler: ({ request }) => begun(controlled.restart(decodeRestart(request.body))),
    },
    {
      method: 'GET',
      path: OPERATION_PATH,
      policy: READ,
      handler: ({ form }) => {
        const operation = controlled.operation(count(Number(form.get('id')), 'id'));
        return json(operation.progress(count(Number(form.get('from') ?? '0'), 'from')));
      },
    },
  ];
}

function begun({ id }: Operation) {
  return json({ id }, 202);
}

function verifyToken(token: string, request: HttpRequest): void {
  const given = new TextEncoder().encode(/^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '');
  const right = new TextEncoder().encode(token);
  if (given.length !== right.length || !timingSafeEqual(given, right)) throw new ProtocolError(401, 'unauthorized');
}

function decodeScale(body: Uint8Array): ScaleRequest {
  const { replicas, timeoutMs } = objectOf(body);
  return { replicas: count(replicas, 'replicas'), timeoutMs: timeoutOf(timeoutMs) };
}

function decodeRestart(body: Uint8Array): RestartRequest {
  const { members, timeoutMs } = objectOf(body);
  if (!Array.isArray(members) || !members.every((one) => typeof one === 'string')) {
    throw badRequest('members must be a list of names');
  }
  return { members, timeoutMs: timeoutOf(timeoutMs) };
}

function objectOf(body: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // Told below, like any other that is no object.
  }
  throw badRequest('the request is no JSON object');
}

function timeoutOf(value: unknown): number {
  const timeoutMs = count(value, 'timeoutMs');
  if (timeoutMs > TIMEOUT_SECONDS_MAX * 1_000) throw badRequest('timeoutMs is too long');
  return timeoutMs;
}

function count(value: unknown, name: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw badRequest(`${name} must be a whole number`);
  return value as number;
}
