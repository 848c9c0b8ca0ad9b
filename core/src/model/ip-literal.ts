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
