import type { HttpHeaders } from '../host/host.ts';

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

/** The prefixes, case-sensitive, and the version from which a client understands pushes. */
const PUSHED: readonly (readonly [prefix: string, kind: Agent['kind'], since: Version])[] = [
  ['Nacos-Java-Client', 'java', [0, 1, 0]],
  ['Nacos-Go-Client', 'go', [0, 1, 0]],
  ['Nacos-CSharp-Client', 'csharp', [0, 9, 0]],
  ['Nacos-C-Client', 'c', [1, 0, 12]],
  ['vip-client4cpp', 'c', [1, 0, 12]],
  ['Nacos-DNS', 'dns', [0, 4, 3]],
];

const OTHER: Agent = { kind: 'other', version: [0, 0, 0], mayBePushed: false, isJavaSinceOne: false };

/** `User-Agent`, else `Client-Version`. */
export function agentOf(headers: HttpHeaders): Agent {
  return parseAgent(headers['user-agent']?.trim() || headers['client-version'] || '');
}

export function parseAgent(userAgent: string): Agent {
  for (const [prefix, kind, since] of PUSHED) {
    if (!userAgent.startsWith(prefix)) continue;
    const version = versionOf(userAgent);
    const isJavaSinceOne = kind === 'java' && isAtLeast(version, [1, 0, 0]);
    return { kind, version, mayBePushed: isAtLeast(version, since), isJavaSinceOne };
  }
  return OTHER;
}

/** What follows `:v`, as the leading digits of three parts; 0.0.0 when that cannot be read. */
function versionOf(userAgent: string): Version {
  const at = userAgent.indexOf(':v');
  if (at < 0) return OTHER.version;
  const parts = userAgent.slice(at + 2, at + 66).split(/[-_./;:]/, 3);
  const number = (index: number) => Number(/^\d{1,9}/.exec(parts[index] ?? '')?.[0] ?? 0);
  return [number(0), number(1), number(2)];
}

function isAtLeast(version: Version, least: Version): boolean {
  const difference = version[0] - least[0] || version[1] - least[1] || version[2] - least[2];
  return difference >= 0;
}
