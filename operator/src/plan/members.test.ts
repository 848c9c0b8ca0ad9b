import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeMemberList, parseMemberList } from '@nacos-kube/core/model/member-list.ts';
import { nextMemberList } from './members.ts';

const sealed = (generation: number, members: string[]) => parseMemberList(encodeMemberList({ generation, members }));

test('the first list has generation 1', () => {
  assert.deepEqual(nextMemberList(undefined, ['a:1'], 0), { generation: 1, members: ['a:1'] });
});

test('the same members keep their generation, in any order', () => {
  assert.equal(nextMemberList(sealed(4, ['a:1', 'b:1']), ['b:1', 'a:1'], 4).generation, 4);
});

test('other members get the next generation', () => {
  assert.deepEqual(nextMemberList(sealed(4, ['a:1', 'b:1']), ['a:1'], 4), { generation: 5, members: ['a:1'] });
});

test('a list that was lost or damaged does not take the generation back', () => {
  assert.equal(nextMemberList(undefined, ['a:1'], 7).generation, 8);
  assert.equal(nextMemberList(parseMemberList('torn'), ['a:1'], 7).generation, 8);
});

test('an old list put back by hand is raised above what was written since', () => {
  assert.equal(nextMemberList(sealed(2, ['a:1']), ['a:1'], 7).generation, 8);
});

test('a list without members is never written', () => {
  assert.throws(() => nextMemberList(undefined, [], 0), /without members/);
});
