import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storeErrorOf as etcdErrorOf, failureSaid } from './etcd/failure.ts';
import { storeErrorOf as mysqlErrorOf } from './mysql-errors.ts';
import { StoreError } from './store.ts';

const MYSQL = 'mysql db.internal:3306/nacos as somebody';
const ETCD = 'etcd https://10.0.0.7:2379';

/** What is invalid is answered to whoever made the call, who is not to learn where the database is and who uses it. */
function assertTellable(error: unknown): void {
  assert.ok(error instanceof StoreError && error.kind === 'invalid');
  assert.ok(error.because !== undefined, error.message);
  assert.doesNotMatch(error.because, /internal|somebody|10\.0\.0\.7/);
}

test('what the tables of MySQL cannot keep is told without the place and the user', () => {
  for (const errno of [1406, 1366, 1267, 1153, 1301]) {
    const refused = Object.assign(new Error('Incorrect string value for column `nacos`.`config_info`'), { errno });
    assertTellable(mysqlErrorOf(refused, MYSQL));
  }
});

test('what etcd takes no such request for is told without the place', () => {
  for (const text of ['etcdserver: request is too large', 'etcdserver: too many operations in txn request', 'other']) {
    assertTellable(etcdErrorOf(failureSaid(text, ETCD, 3), true));
  }
});
