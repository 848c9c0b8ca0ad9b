import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeMemberList } from '@nacos-kube/core/model/member-list.ts';
import { ListJudge, STABLE_MS } from './list-judge.ts';

const SELF = '10.0.0.1:8848';
const THREE = [SELF, '10.0.0.2:8848', '10.0.0.3:8848'];
const OLD_MS = 60_000;

function sealed(generation: number, members: readonly string[] = THREE): string {
  return encodeMemberList({ generation, members });
}

/** What the judge says of texts one after the other, each an old file and read a minute after the one before. */
function judgements(...texts: readonly string[]): string[] {
  const judge = new ListJudge(SELF);
  return texts.map((text, at) => {
    const judgement = judge.judge(text, 0, at * OLD_MS);
    if (judgement.kind === 'obey') return `obey ${judgement.list.generation} of ${judgement.list.members.length}`;
    return judgement.kind === 'refuse' ? `refuse: ${judgement.reason}` : judgement.kind;
  });
}

test('a sealed list is obeyed at once, and a newer one after it', () => {
  assert.deepEqual(judgements(sealed(1), sealed(1), sealed(3, THREE.slice(0, 2))), [
    'obey 1 of 3',
    'same',
    'obey 3 of 2',
  ]);
});

const KEPT: readonly (readonly [string, string, RegExp])[] = [
  ['an older generation', sealed(4, THREE.slice(0, 2)), /generation 4 is older than 5/],
  ['other members under the generation in force', sealed(5, THREE.slice(0, 2)), /in force with other members/],
  ['a list without this member', sealed(6, THREE.slice(1)), /does not name this member/],
  ['an empty file', '', /empty/],
  ['a torn write', sealed(6).slice(0, -3), /newline/],
  ['a torn write that ends in a whole line', `${sealed(6).split('\n').slice(0, 2).join('\n')}\n`, /hash does not fit/],
  ['merged lines', `${sealed(6).split('\n')[0]}\n10.0.0.1:884810.0.0.2:8848\n10.0.0.3:8848\n`, /no host:port/],
  ['a list made by hand', `${THREE[0]}\n`, /has no header/],
  ['a port that leaves none for peers', sealed(6, [...THREE, '10.0.0.4:1000']), /leaves none/],
];
for (const [name, text, reason] of KEPT) {
  test(`${name} does not replace generation 5 (F17)`, () => {
    const [first, second, third] = judgements(sealed(5), text, sealed(5));
    assert.equal(first, 'obey 5 of 3');
    assert.match(second ?? '', reason);
    assert.equal(third, 'same');
  });
}

test('a list made by hand is obeyed once it has stood still', () => {
  const judge = new ListJudge(SELF);
  const text = `${SELF}\n10.0.0.2:8848\n`;
  assert.deepEqual(judge.judge(text, 500, 0), { kind: 'wait', waitMs: STABLE_MS - 500 });
  assert.deepEqual(judge.judge(`${text}10.0.0.3:8848\n`, 0, 1_000), { kind: 'wait', waitMs: STABLE_MS });
  assert.equal(judge.judge(`${text}10.0.0.3:8848\n`, 0, 1_000 + STABLE_MS).kind, 'obey');
});

test('a list made by hand that is old is obeyed at the start, but none is replaced on the word of its time', () => {
  const judge = new ListJudge(SELF);
  assert.equal(judge.judge(`${SELF}\n10.0.0.2:8848\n`, OLD_MS, 0).kind, 'obey');
  assert.equal(judge.judge(`${SELF}\n`, OLD_MS, 1_000).kind, 'wait');
});

test('a sealed list replaces one made by hand', () => {
  const judge = new ListJudge(SELF);
  judge.judge(`${SELF}\n10.0.0.2:8848\n`, OLD_MS, 0);
  assert.equal(judge.judge(sealed(1), 0, 1).kind, 'obey');
});

test('a text is news once', () => {
  const judge = new ListJudge(SELF);
  const isNews = (text: string) => {
    const judgement = judge.judge(text, 0, 0);
    return judgement.kind === 'refuse' && judgement.isNews;
  };
  assert.deepEqual([isNews('torn'), isNews('torn'), isNews('other'), isNews('torn')], [true, false, true, true]);
});
