import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStoreUrl } from './store-url.ts';

const LOGIN = { user: undefined, password: undefined };
/** Java nodes may keep past writes for longer than 30 days; to read them removes none. */
const KEEPING = { historyKeptDays: 36_500 };
const FILES = { caFile: undefined, certFile: undefined, keyFile: undefined };
const REDIS = { ...LOGIN, kind: 'redis', mode: 'single', master: 'mymaster', prefix: 'nacos-kube:', tls: undefined };

test('a URL says which store is meant', () => {
  const cases: Readonly<Record<string, readonly [object, string]>> = {
    'sqlite:/data/store.sqlite': [{ kind: 'sqlite', path: '/data/store.sqlite' }, 'sqlite:/data/store.sqlite'],
    'sqlite:///data/s': [{ kind: 'sqlite', path: '/data/s' }, 'sqlite:/data/s'],
    'sqlite:data/s?x': [{ kind: 'sqlite', path: 'data/s?x' }, 'sqlite:data/s?x'],
    'mysql://ann:p%40ss@db:3307/nacos?serverTimezone=GMT%2B8': [
      {
        ...{ kind: 'mysql', host: 'db', port: 3307, database: 'nacos', user: 'ann', password: 'p@ss' },
        ...{ parameters: 'serverTimezone=GMT%2B8', ...KEEPING },
      },
      'mysql://db:3307/nacos',
    ],
    'mysql://ann@[::1]/nacos': [
      { kind: 'mysql', host: '::1', port: 3306, database: 'nacos', user: 'ann', password: '', ...KEEPING },
      'mysql://[::1]/nacos',
    ],
    'etcd://a,b:2380': [
      { ...LOGIN, ...FILES, kind: 'etcd', endpoints: ['http://a:2379', 'http://b:2380'], prefix: '/nacos-kube/' },
      'etcd://a,b:2380',
    ],
    'etcds://ann:x@a:1/mine/?ca=/ca.pem&cert=/c.pem&key=/k.pem': [
      {
        ...{ kind: 'etcd', endpoints: ['https://a:1'], prefix: '/mine/', user: 'ann', password: 'x' },
        ...{ caFile: '/ca.pem', certFile: '/c.pem', keyFile: '/k.pem' },
      },
      'etcds://a:1/mine/',
    ],
    'redis://a/3': [{ ...REDIS, addresses: ['a:6379'], database: 3, allowsLoss: true }, 'redis://a/3'],
    'rediss+sentinel://:pw@a,b:1?master=m&prefix=x:': [
      {
        ...{ ...REDIS, mode: 'sentinel', addresses: ['a:26379', 'b:1'], master: 'm', prefix: 'x:', database: 0 },
        ...{ password: 'pw', tls: { caFile: undefined }, allowsLoss: true },
      },
      'rediss+sentinel://a,b:1?master=m&prefix=x%3A',
    ],
  };
  for (const [url, [settings, place]] of Object.entries(cases)) {
    assert.deepEqual(parseStoreUrl(url), { settings, place }, url);
  }
});

test('a password beside the URL counts more than one within', () => {
  const { settings } = parseStoreUrl('mysql://ann:seen@db/nacos', 'hidden');
  assert.equal(settings.kind === 'mysql' && settings.password, 'hidden');
});

test('what a URL asks for and would not get is refused, with its reason', () => {
  const cases: Readonly<Record<string, RegExp>> = {
    'etcd://a/mine/?ca=/ca.pem': /etcd:\/\/ knows no "ca" behind the \?/,
    'etcds://a?prefix=/mine/': /etcds:\/\/ knows no "prefix"/,
    'redis://a?master=m': /redis:\/\/ knows no "master"/,
    'rediss+cluster://a?database=3': /knows no "database"/,
    'etcd://:secret@a': /a password needs a user before it/,
    'jdbc:mysql://db:3306/nacos?user=ann&password=secret': /leave out "jdbc:"/,
  };
  for (const [url, why] of Object.entries(cases)) {
    assert.throws(
      () => parseStoreUrl(url),
      ({ name, message }: Error) => name === 'MoveError' && why.test(message) && !message.includes('secret'),
      url,
    );
  }
});

test('what names no store is refused with what does, and a password is not repeated', () => {
  const wrong = ['', 'x', 'sqlite:', 'oracle://ann:secret@db/x', 'mysql://ann:secret@db', 'mysql://db/nacos'];
  wrong.push('mysql://ann:secret@a,b/nacos', 'mysql://ann:secret@db:0/nacos', 'redis://a/x', 'etcd://a:99999');
  wrong.push('mysql://ann:secret%@db/nacos', 'mysql://ann:sec@ret@db/nacos');
  for (const url of wrong) {
    assert.throws(
      () => parseStoreUrl(url),
      ({ name, message }: Error) => name === 'MoveError' && !message.includes('sec'),
      url,
    );
  }
});
