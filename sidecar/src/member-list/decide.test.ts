import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ParsedMemberList } from '@nacos-kube/core/model/member-list.ts';
import { decideList } from './decide.ts';

const sealed = (generation: number, ...members: string[]): ParsedMemberList => ({
  kind: 'sealed',
  generation,
  members,
});
const bare: ParsedMemberList = { kind: 'bare', members: ['a:1'] };
const torn: ParsedMemberList = { kind: 'refused', reason: 'its hash does not fit its members' };

const TABLE: readonly [string, ParsedMemberList | undefined, ParsedMemberList, string][] = [
  ['the first list', undefined, sealed(1, 'a:1'), 'write'],
  ['a newer list', sealed(1, 'a:1'), sealed(2, 'a:1', 'b:1'), 'write'],
  ['a newer list that shrinks', sealed(2, 'a:1', 'b:1'), sealed(3, 'a:1'), 'write'],
  ['the same list', sealed(2, 'a:1'), sealed(2, 'a:1'), 'keep'],
  ['an older list', sealed(2, 'a:1'), sealed(1, 'a:1', 'b:1'), 'refuse older'],
  ['other members under the same generation', sealed(2, 'a:1', 'b:1'), sealed(2, 'a:1'), 'refuse conflict'],
  ['a torn list', sealed(2, 'a:1'), torn, 'refuse damaged'],
  ['a torn list where there is none', undefined, torn, 'refuse damaged'],
  ['a list made by hand', undefined, bare, 'refuse unsealed'],
  ['a sealed list over a damaged file', torn, sealed(1, 'a:1'), 'write'],
  ['a sealed list over one made by hand', bare, sealed(1, 'a:1'), 'write'],
];

for (const [name, file, offered, expected] of TABLE) {
  test(`${name}: ${expected} (F17)`, () => {
    const decision = decideList(file, offered);
    assert.equal(decision.kind === 'refuse' ? `refuse ${decision.why}` : decision.kind, expected);
  });
}
