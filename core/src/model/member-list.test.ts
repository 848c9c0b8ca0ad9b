import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  encodeMemberList,
  memberListHash,
  parseMemberAddress,
  parseMemberList,
  splitMemberAddress,
} from './member-list.ts';

const THREE = ['n-0.n-headless.ns.svc.cluster.local:8848', '10.0.0.2:8848', '[fd00::3]:8850'];

test('a sealed list reads back with its generation', () => {
  const text = encodeMemberList({ generation: 7, members: THREE });
  assert.equal(text.split('\n')[0], `# nacos-kube generation=7 hash=${memberListHash(THREE)}`);
  assert.deepEqual(parseMemberList(text), { kind: 'sealed', generation: 7, members: THREE });
});

test('no torn prefix of a sealed list is obeyed as sealed, and none shrinks it', () => {
  const text = encodeMemberList({ generation: 7, members: THREE });
  for (let cut = 0; cut < text.length; cut++) {
    assert.equal(parseMemberList(text.slice(0, cut)).kind, 'refused', `cut at ${cut}`);
  }
});

test('two writes torn into each other are sealed only with the members of one of them, else refused', () => {
  const text = encodeMemberList({ generation: 7, members: THREE });
  const other = encodeMemberList({ generation: 8, members: THREE.slice(0, 2) });
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.nat(other.length - 1), (a, b) => {
      const torn = text.slice(0, a) + other.slice(b);
      const parsed = parseMemberList(torn);
      if (torn === text) assert.equal(parsed.kind, 'sealed');
      else if (parsed.kind === 'sealed') assert.deepEqual(parsed.members, THREE.slice(0, 2), JSON.stringify(torn));
      else if (/generation=|hash=/.test(torn)) assert.equal(parsed.kind, 'refused', JSON.stringify(torn));
    }),
    { numRuns: 2000 },
  );
});

test('a list made by hand is read with comments, commas and the default port', () => {
  assert.deepEqual(parseMemberList('# mine\n10.0.0.1 # first\n\n10.0.0.2:8850,host-3\n'), {
    kind: 'bare',
    members: ['10.0.0.1:8848', '10.0.0.2:8850', 'host-3:8848'],
  });
});

test('what samples of the reference append for Raft is left out', () => {
  assert.deepEqual(parseMemberList('host:8847?raft_port=8807\nhost?raft_port=7848\n'), {
    kind: 'bare',
    members: ['host:8847', 'host:8848'],
  });
});

test('an address is taken apart without the brackets of IPv6', () => {
  assert.equal(parseMemberAddress('[fd00::3]'), '[fd00::3]:8848');
  assert.deepEqual(splitMemberAddress('[fd00::3]:8850'), { host: 'fd00::3', port: 8850 });
  assert.deepEqual(splitMemberAddress('n-0.n.ns.svc:8848'), { host: 'n-0.n.ns.svc', port: 8848 });
});

const REFUSED: readonly (readonly [string, string])[] = [
  ['an empty file', ''],
  ['only comments', '# nobody\n'],
  ['no newline at the end', '10.0.0.1:8848\n10.0.0.2:88'],
  ['merged lines', '10.0.0.1:884810.0.0.2:8848\n'],
  ['merged addresses without ports', '10.0.0.110.0.0.2\n'],
  ['a merged line of names', 'a.svc:8848b.svc:8848\n'],
  ['a port out of range', '10.0.0.1:65536\n'],
  ['port 0', '10.0.0.1:0\n'],
  ['a duplicate', '10.0.0.1\n10.0.0.1:8848\n'],
  ['a byte order mark', '\uFEFF10.0.0.1:8848\n'],
  ['carriage returns', '10.0.0.1:8848\r\n'],
  ['an octet over 255', '10.0.0.256:8848\n'],
  ['a trailing dot', 'node.svc.:8848\n'],
  ['a space inside', '10.0.0.1 10.0.0.2\n'],
  ['an unknown query', 'host:8848?weight=1\n'],
  ['a line of spaces', '10.0.0.1:8848\n  \n10.0.0.2:8848\n'],
  ['a list of nothing but commas', ',,\n'],
  ['a port that is no number', '10.0.0.1:88a8\n'],
  ['an address merged with a name', 'n-0.svc10.0.0.2\n'],
  ['IPv6 that is none', '[1::2::3]:8848\n'],
  ['a zone', '[fe80::1%eth0]:8848\n'],
  ['a header that is not first', `10.0.0.1:8848\n# nacos-kube generation=7 hash=${'0'.repeat(64)}\n`],
  ['bare IPv6', 'fd00::1\n'],
  ['more members than a cluster has', Array.from({ length: 65 }, (_, i) => `10.0.1.${i}:8848\n`).join('')],
  ['a damaged header', `# nacos-kube generation=7 hash=abc\n10.0.0.1:8848\n`],
  ['a header of another list', `# nacos-kube generation=7 hash=${'0'.repeat(64)}\n10.0.0.1:8848\n`],
];
for (const [name, text] of REFUSED) {
  test(`${name} is refused`, () => assert.equal(parseMemberList(text).kind, 'refused'));
}

test('no text makes the parser throw', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseMemberList(`${text}\n`)));
});

test('an address that would not read back is not written', () => {
  assert.throws(() => encodeMemberList({ generation: 1, members: ['a:1\nb:2'] }), /not a member address/);
});
