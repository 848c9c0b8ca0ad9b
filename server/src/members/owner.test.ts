import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ownerAmong } from './owner.ts';

const THREE = ['n-0.n.ns.svc:8848', 'n-1.n.ns.svc:8848', 'n-2.n.ns.svc:8848'];
const services = Array.from({ length: 3_000 }, (_, i) => `public##DEFAULT_GROUP@@service-${i}`);

const addresses = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 12 });

for (const [service, owner] of [
  ['public##DEFAULT_GROUP@@demo', '10.0.0.2:8848'],
  ['public##DEFAULT_GROUP@@orders', '10.0.0.1:8848'],
  ['public##DEFAULT_GROUP@@users', '10.0.0.3:8848'],
  ['dev##DEFAULT_GROUP@@demo', '10.0.0.3:8848'],
  ['public##pay@@ledger', '10.0.0.1:8848'],
  ['public##DEFAULT_GROUP@@käse-größe', '10.0.0.1:8848'],
] as const) {
  test(`the owner of ${service} never changes with a release`, () => {
    assert.equal(ownerAmong(['10.0.0.1:8848', '10.0.0.2:8848', '10.0.0.3:8848'], service), owner);
  });
}

test('one member owns everything', () => {
  assert.equal(ownerAmong(['a:8848'], 'public##G@@s'), 'a:8848');
});

test('the order of the members does not matter', () => {
  fc.assert(
    fc.property(addresses, fc.string(), (members, service) => {
      assert.equal(ownerAmong(members, service), ownerAmong(members.toReversed(), service));
    }),
  );
});

test('a member that goes moves only what it owned, so one that comes takes only what it will own (F4)', () => {
  fc.assert(
    fc.property(addresses, fc.nat(), fc.string(), (members, at, service) => {
      const gone = members[at % members.length] as string;
      const left = members.filter((member) => member !== gone);
      if (left.length === 0) return;
      const before = ownerAmong(members, service);
      if (before !== gone) assert.equal(ownerAmong(left, service), before);
      else assert.notEqual(ownerAmong(left, service), gone);
    }),
  );
});

for (const members of [
  THREE,
  ['127.0.0.1:8850', '127.0.0.1:8860', '127.0.0.1:8870'],
  Array.from({ length: 5 }, (_, i) => `10.0.0.${i + 1}:8848`),
  Array.from({ length: 64 }, (_, i) => `nacos-${i}.nacos-headless.default.svc.cluster.local:8848`),
]) {
  test(`${members.length} members such as ${members[0]} share the services about evenly`, () => {
    const counts = new Map(members.map((member) => [member, 0]));
    for (const service of services) {
      const owner = ownerAmong(members, service);
      counts.set(owner, (counts.get(owner) as number) + 1);
    }
    const mean = services.length / members.length;
    // Five standard deviations of a fair draw.
    const slack = 5 * Math.sqrt(mean);
    for (const [member, count] of counts) assert.ok(Math.abs(count - mean) <= slack, `${member} owns ${count}`);
  });
}
