/**
 * The owner of a service: the member whose hash with the service's is the highest (rendezvous hashing, F4). A member
 * that comes or goes moves only what it wins or held; all members with one view name one owner. All members of a
 * cluster must hash alike, so a change of this file is a change of the protocol: the tests hold vectors.
 */
export function ownerAmong(members: readonly string[], serviceKey: string): string {
  const [first] = members;
  if (first === undefined) throw new Error('a service among no members has no owner');
  if (members.length === 1) return first;
  const hashes = hashesOf(members);
  const service = textHash(serviceKey);
  let owner = first;
  let highest = -1;
  for (let at = 0; at < members.length; at++) {
    const score = mix(service ^ (hashes[at] as number));
    // Equal scores are one in four thousand millions; the name decides, so that the order of the list never does.
    if (score > highest || (score === highest && (members[at] as string) < owner)) {
      highest = score;
      owner = members[at] as string;
    }
  }
  return owner;
}

/** Lists of members are made anew when they change, so their hashes are kept by the list itself. */
const known = new WeakMap<readonly string[], Uint32Array>();

function hashesOf(members: readonly string[]): Uint32Array {
  let hashes = known.get(members);
  if (hashes === undefined) {
    // Mixed once more, so that a member's hash does not cancel out that of a service with a like name.
    hashes = Uint32Array.from(members, (member) => mix(textHash(member) ^ 0x9e3779b9));
    known.set(members, hashes);
  }
  return hashes;
}

/** Over UTF-16 units; 32 bits, not negative. */
function textHash(text: string): number {
  let word = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) word = Math.imul(word ^ text.charCodeAt(at), 0x01000193);
  return mix(word ^ text.length);
}

/** Spreads each bit over the whole word. */
function mix(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x21f0aaad);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x735a2d97);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
