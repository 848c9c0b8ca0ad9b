/**
 * Where a subscriber may be pushed to (S10): the address it called from, and no other, since the parameter is anybody's
 * to set. SDKs on the node's own machine call by loopback but name their LAN address, hence the exception.
 */
export function isAllowedTarget(wanted: string, clientIp: string, ownAddresses: () => readonly string[]): boolean {
  if (wanted === clientIp) return true;
  return isLoopback(clientIp) && ownAddresses().includes(wanted);
}

export function isLoopback(address: string): boolean {
  return address === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(address);
}
