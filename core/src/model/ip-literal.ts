/** An IPv4 or IPv6 address as a text, without zone, brackets or port; IPv4 only as four plain decimals. */
export function isIpLiteral(text: string): boolean {
  return isIpv4Literal(text) || isIpv6Literal(text);
}

export function isIpv4Literal(text: string): boolean {
  return /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/.test(text);
}

/** Eight groups; `::` once stands for one or more zero groups; the last two may be an IPv4 address. */
export function isIpv6Literal(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  const last = groups.at(-1) ?? '';
  const endsInIpv4 = last.includes('.') && !text.endsWith('::');
  const plain = endsInIpv4 ? groups.slice(0, -1) : groups;
  if (endsInIpv4 && !isIpv4Literal(last)) return false;
  if (!plain.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  const count = plain.length + (endsInIpv4 ? 2 : 0);
  return halves.length === 2 ? count < 8 : count === 8;
}

/**
 * One text for each address, as whoever connects to it sees it: IPv4 that is written as IPv6 (mapped, compatible, or for
 * a translator) is IPv4 again, other IPv6 is eight groups without zeros in front. Undefined when it is no literal.
 */
export function plainAddress(text: string): string | undefined {
  if (isIpv4Literal(text)) return text;
  if (!isIpv6Literal(text)) return undefined;
  const groups = groupsOf(text);
  const [head, tail] = [groups.slice(0, 6).join(':'), groups.slice(6)];
  const [high = 0, low = 0] = tail.map((group) => Number.parseInt(group, 16));
  const isNobodyOrLoopback = high === 0 && low <= 1;
  const isMapped = head === '0:0:0:0:0:ffff' || head === '64:ff9b:0:0:0:0';
  if (isMapped || (head === '0:0:0:0:0:0' && !isNobodyOrLoopback)) {
    return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
  }
  return groups.join(':');
}

/** All eight, in lower case. */
function groupsOf(text: string): string[] {
  const [left = [], right = []] = text.split('::').map((half) => (half === '' ? [] : half.split(':').flatMap(plain)));
  if (!text.includes('::')) return left;
  return [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
}

function plain(group: string): string[] {
  if (!group.includes('.')) return [Number.parseInt(group, 16).toString(16)];
  const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
  return [(a * 256 + b).toString(16), (c * 256 + d).toString(16)];
}
