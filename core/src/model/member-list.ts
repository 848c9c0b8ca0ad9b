import { createHash } from 'node:crypto';
import { isIpv4Literal, isIpv6Literal } from './ip-literal.ts';

/** The members a cluster shall have, as its one writer decided it. A later list has a higher generation. */
export interface MemberList {
  readonly generation: number;
  /** Addresses `host:port`, in the order of the file. */
  readonly members: readonly string[];
}

/**
 * What a cluster.conf says.
 * - `sealed`: written by a machine, with a header whose hash fits: nothing is torn, and the generation can be compared.
 * - `bare`: made by hand, without a header. Whether it is whole can't be known, so who has obeyed a sealed list
 *   must not obey a bare one after it.
 * - `refused`: must not be obeyed, with the reason.
 */
export type ParsedMemberList =
  | ({ readonly kind: 'sealed' } & MemberList)
  | { readonly kind: 'bare'; readonly members: readonly string[] }
  | { readonly kind: 'refused'; readonly reason: string };

/** More is a mistake or an attack, not a cluster. */
export const MEMBERS_MAX = 64;
export const MEMBER_LIST_BYTES_MAX = 64 * 1024;
export const DEFAULT_MEMBER_PORT = 8848;

const HEADER_REMAINS = /generation=|hash=/;

/** The text of a sealed cluster.conf: a header with generation and hash, then one `host:port` per line. */
export function encodeMemberList(list: MemberList): string {
  for (const member of list.members) {
    if (parseMemberAddress(member) !== member) throw new Error(`not a member address: ${JSON.stringify(member)}`);
  }
  return `# nacos-kube generation=${list.generation} hash=${memberListHash(list.members)}\n${memberLines(list.members)}`;
}

/** Hex SHA-256 of the member lines: equal hashes are equal lists. */
export function memberListHash(members: readonly string[]): string {
  return createHash('sha256').update(memberLines(members)).digest('hex');
}

/** All or nothing: one line that can't be right refuses the whole list, for a cut or merged line looks just so. */
export function parseMemberList(text: string): ParsedMemberList {
  if (text.length > MEMBER_LIST_BYTES_MAX) return refused(`it is longer than ${MEMBER_LIST_BYTES_MAX} bytes`);
  if (text === '') return refused('it is empty');
  if (!text.endsWith('\n')) return refused('it does not end in a newline: it may be cut');
  if (text.startsWith('\uFEFF')) return refused('it starts with a byte order mark');
  if (text.includes('\r')) return refused('it has carriage returns');

  const members: string[] = [];
  for (const [index, line] of text.slice(0, -1).split('\n').entries()) {
    if (line !== '' && line.trim() === '') return refused(`line ${index + 1} has only spaces`);
    for (const piece of withoutComment(line).split(',')) {
      const written = piece.trim();
      if (written === '') continue;
      const address = parseMemberAddress(written);
      if (address === undefined) return refused(`line ${index + 1} is no host:port: ${JSON.stringify(written)}`);
      if (members.includes(address)) return refused(`line ${index + 1} repeats ${address}`);
      members.push(address);
    }
  }
  if (members.length === 0) return refused('it names no member');
  if (members.length > MEMBERS_MAX) return refused(`it names ${members.length} members, ${MEMBERS_MAX} are the most`);
  return checkSeal(text, members);
}

function checkSeal(text: string, members: readonly string[]): ParsedMemberList {
  const first = text.slice(0, text.indexOf('\n'));
  if (!first.startsWith('# nacos-kube')) {
    // What is left of a header in a torn write: a list made by hand says none of this.
    return HEADER_REMAINS.test(text)
      ? refused('its header is damaged or not the first line')
      : { kind: 'bare', members };
  }
  const header = /^# nacos-kube generation=(\d{1,15}) hash=([0-9a-f]{64})$/.exec(first);
  if (!header) return refused(`its header is damaged: ${JSON.stringify(first.slice(0, 200))}`);
  if (header[2] !== memberListHash(members)) return refused('its hash does not fit its members');
  return { kind: 'sealed', generation: Number(header[1]), members };
}

/**
 * `host:port` in its one written form; a missing port is 8848, and a `?raft_port=` as in samples of the reference is
 * left out. Undefined when it is none.
 */
export function parseMemberAddress(written: string): string | undefined {
  const match = /^(\[[0-9a-fA-F:.]{2,45}\]|[^:[\]\s?]{1,253})(?::(\d{1,5}))?(?:\?raft_port=\d{1,5})?$/.exec(written);
  if (!match) return undefined;
  const host = match[1] as string;
  const port = match[2] === undefined ? DEFAULT_MEMBER_PORT : Number(match[2]);
  if (port < 1 || port > 65535 || !isHost(host)) return undefined;
  return `${host}:${port}`;
}

/** Host, without the brackets of IPv6, and port of a member's address. */
export function splitMemberAddress(address: string): { readonly host: string; readonly port: number } {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at);
  return { host: host.startsWith('[') ? host.slice(1, -1) : host, port: Number(address.slice(at + 1)) };
}

function isHost(host: string): boolean {
  if (host.startsWith('[')) return isIpv6Literal(host.slice(1, -1));
  // What ends in a number is meant as an address: two merged ones are no name either.
  if (/(^|\.)\d+$/.test(host)) return isIpv4Literal(host);
  // A trailing dot would be another identity for the same member.
  return host.split('.').every((label) => /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label));
}

function memberLines(members: readonly string[]): string {
  return members.map((member) => `${member}\n`).join('');
}

function withoutComment(line: string): string {
  const at = line.indexOf('#');
  return at < 0 ? line : line.slice(0, at);
}

function refused(reason: string): ParsedMemberList {
  return { kind: 'refused', reason };
}
