import { createHash } from 'node:crypto';

/**
 * The number of the cluster that these members would found under the token, as etcd 3.4 to 3.6 reckon it: a member's is
 * of its URLs and the token, the cluster's of those of its members. Whose log names another one began differently.
 */
export function foundedClusterId(peerUrls: readonly string[], token: string): string {
  const members = peerUrls.map((url) => firstEight(Buffer.from(`${url}${token}`))).sort(Buffer.compare);
  return String(firstEight(Buffer.concat(members)).readBigUInt64BE());
}

function firstEight(bytes: Buffer): Buffer {
  return createHash('sha1').update(bytes).digest().subarray(0, 8);
}
