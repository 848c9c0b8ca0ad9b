import { networkInterfaces } from 'node:os';

/** A socket that listens on `::` names IPv4 callers `::ffff:10.0.0.1`. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

export function ownAddresses(): readonly string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  return addresses.map(({ address }) => address.split('%', 1)[0] as string);
}
