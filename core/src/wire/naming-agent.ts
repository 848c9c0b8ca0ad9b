import type { HttpHeaders } from '../host/host.ts';
import type { SwitchValues } from '../model/switches.ts';

/** Which program calls, as far as answers depend on it. */
export interface Agent {
  readonly kind: 'java' | 'go' | 'csharp' | 'c' | 'dns' | 'other';
  readonly version: Version;
  /** It understands UDP pushes. */
  readonly mayBePushed: boolean;
  /**
   * `Nacos-Java-Client` from 1.0.0 (the Node SDK says so too): it is shown grouped names, and an instance that it
   * updates must exist.
   */
  readonly isJavaSinceOne: boolean;
}

export type Version = readonly [major: number, minor: number, patch: number];

type PushedKind = Exclude<Agent['kind'], 'other'>;

/** The versions from which clients are pushed to. */
export type PushVersions = Readonly<Record<PushedKind, Version>>;

/** From these on they understand pushes; operators may ask for more. */
export const PUSH_VERSIONS: PushVersions = {
  java: [0, 1, 0],
  go: [0, 1, 0],
  csharp: [0, 9, 0],
  c: [1, 0, 12],
  dns: [0, 4, 3],
};

/** Case-sensitive. */
const PREFIXES: readonly (readonly [prefix: string, kind: PushedKind])[] = [
  ['Nacos-Java-Client', 'java'],
  ['Nacos-Go-Client', 'go'],
  ['Nacos-CSharp-Client', 'csharp'],
  ['Nacos-C-Client', 'c'],
  ['vip-client4cpp', 'c'],
  ['Nacos-DNS', 'dns'],
];

const OTHER: Agent = { kind: 'other', version: [0, 0, 0], mayBePushed: false, isJavaSinceOne: false };

/** `User-Agent`, else `Client-Version`. */
export function agentOf(headers: HttpHeaders, since: PushVersions = PUSH_VERSIONS): Agent {
  return parseAgent(headers['user-agent']?.trim() || headers['client-version'] || '', since);
}

/** Programs are few and each says the same with every request, so what was read is kept. */
export function parseAgent(userAgent: string, since: PushVersions = PUSH_VERSIONS): Agent {
  let agents = known.get(since);
  if (agents === undefined) {
    agents = new Map();
    known.set(since, agents);
  }
  let agent = agents.get(userAgent);
  if (agent !== undefined) return agent;
  agent = readAgent(userAgent, since);
  if (agents.size >= AGENTS_KEPT_MAX) agents.clear();
  if (userAgent.length <= AGENT_CHARS_KEPT_MAX) agents.set(userAgent, agent);
  return agent;
}

export const AGENTS_KEPT_MAX = 1_000;
const AGENT_CHARS_KEPT_MAX = 256;
const known = new WeakMap<PushVersions, Map<string, Agent>>();

function readAgent(userAgent: string, since: PushVersions): Agent {
  for (const [prefix, kind] of PREFIXES) {
    if (!userAgent.startsWith(prefix)) continue;
    const version = versionOf(userAgent);
    const isJavaSinceOne = kind === 'java' && isAtLeast(version, [1, 0, 0]);
    return { kind, version, mayBePushed: isAtLeast(version, since[kind]), isJavaSinceOne };
  }
  return OTHER;
}

/** What follows `:v`, as the leading digits of three parts; 0.0.0 when that cannot be read. */
function versionOf(userAgent: string): Version {
  const at = userAgent.indexOf(':v');
  if (at < 0) return OTHER.version;
  return parseVersion(userAgent.slice(at + 2, at + 66));
}

function parseVersion(text: string): Version {
  const parts = text.split(/[-_./;:]/, 3);
  const number = (index: number) => Number(/^\d{1,9}/.exec(parts[index] ?? '')?.[0] ?? 0);
  return [number(0), number(1), number(2)];
}

function isAtLeast(version: Version, least: Version): boolean {
  const difference = version[0] - least[0] || version[1] - least[1] || version[2] - least[2];
  return difference >= 0;
}

/** The switches in the form that agents are judged by. */
export function pushVersionsOf(switches: SwitchValues): PushVersions {
  return {
    java: parseVersion(switches.pushJavaVersion),
    go: parseVersion(switches.pushGoVersion),
    csharp: parseVersion(switches.pushCSharpVersion),
    c: parseVersion(switches.pushCVersion),
    dns: parseVersion(switches.pushPythonVersion),
  };
}
