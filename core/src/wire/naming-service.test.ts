import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Form } from '../http/route.ts';
import { NEW_DEFAULT_CLUSTER } from './naming-cluster.ts';
import * as errors from './naming-errors.ts';
import { decodeListSelector, decodeSelector, encodeSelector, SELECTOR_CHARS_MAX } from './naming-selector.ts';
import {
  decodeServiceCreation,
  decodeServiceList,
  decodeServiceName,
  decodeServiceUpdate,
  encodeService,
  encodeServiceList,
  SERVICE_PAGE_MAX,
} from './naming-service.ts';

const SERVICE = { namespaceId: 'public', name: 'DEFAULT_GROUP@@demo' };

function form(parameters: Record<string, string>): Form {
  return new Map(Object.entries(parameters));
}

test('a list of services is asked for by page, group and namespace', () => {
  assert.deepEqual(decodeServiceList(form({ pageNo: '1', pageSize: '10' })), {
    namespaceId: 'public',
    group: 'DEFAULT_GROUP',
    pageNo: 1,
    pageSize: 10,
    selector: undefined,
  });
  const all = { pageNo: '2', pageSize: '10', groupName: '*', namespaceId: 'dev', selector: '{"type":"none"}' };
  assert.partialDeepStrictEqual(decodeServiceList(form(all)), { namespaceId: 'dev', group: undefined, pageNo: 2 });
});

test('pages out of bounds are set right', () => {
  const page = (pageNo: string, pageSize: string) => {
    const request = decodeServiceList(form({ pageNo, pageSize }));
    return [request.pageNo, request.pageSize];
  };
  assert.deepEqual(page('0', '0'), [1, 0]);
  assert.deepEqual(page('-1', '-1'), [1, 0]);
  assert.deepEqual(page('x', 'x'), [1, 0]);
  assert.deepEqual(page('1', '2147483647'), [1, SERVICE_PAGE_MAX]);
  assert.deepEqual(page('2147483648', '1e9'), [2147483647, 0]);
  assert.throws(() => decodeServiceList(form({ pageNo: '1' })), {
    status: 400,
    message: "Param 'pageSize' is required.",
  });
  assert.throws(() => decodeServiceList(form({ pageSize: '1' })), {
    status: 400,
    message: "Param 'pageNo' is required.",
  });
});

test('services are listed by name with their number', () => {
  assert.equal(encodeServiceList(['a', 'b"c'], 12), '{"doms":["a","b\\"c"],"count":12}');
  assert.equal(encodeServiceList([], 0), '{"doms":[],"count":0}');
});

test('a service is created and updated as a whole', () => {
  assert.deepEqual(decodeServiceCreation(form({ serviceName: 'demo' })), {
    service: SERVICE,
    protectThreshold: 0,
    metadata: new Map(),
    selector: { type: 'none' },
  });
  const given = { serviceName: 'demo', groupName: 'g', protectThreshold: '0.8', metadata: 'a=1' };
  assert.deepEqual(decodeServiceUpdate(form(given)), {
    service: { namespaceId: 'public', name: 'g@@demo' },
    protectThreshold: Math.fround(0.8),
    metadata: new Map([['a', '1']]),
    selector: { type: 'none' },
  });
  assert.equal(decodeServiceUpdate(form({ ...given, protectThreshold: 'NaN' })).protectThreshold, 0);
});

test('each broken parameter of a service is refused', () => {
  const missing = "Parameter 'serviceName' is missing";
  assert.throws(() => decodeServiceName(form({})), { status: 400, message: missing });
  assert.throws(() => decodeServiceUpdate(form({ protectThreshold: '0' })), {
    message: "Param 'serviceName' is required.",
  });
  assert.throws(() => decodeServiceUpdate(form({ serviceName: 'a' })), {
    message: "Param 'protectThreshold' is required.",
  });
  const table: readonly (readonly [Record<string, string>, string])[] = [
    [{ serviceName: '' }, missing],
    [{ serviceName: 'a/b' }, 'dom name can only have these characters: 0-9a-zA-Z-._:, current: DEFAULT_GROUP@@a/b'],
    [{ protectThreshold: 'NaN' }, 'For input string: "NaN"'],
    [{ protectThreshold: '-1' }, 'For input string: "-1"'],
    [{ protectThreshold: '1e99' }, 'For input string: "1e99"'],
    [{ metadata: 'x' }, 'metadata format incorrect:x'],
    [{ selector: '{"type":"unknown"}' }, 'not match any type of selector!'],
    [{ selector: 'x' }, 'not match any type of selector!'],
    [{ selector: '{"type":"label","expression":"x"}' }, 'parse expression failed!'],
  ];
  for (const [broken, message] of table) {
    const parameters = form({ serviceName: 'demo', ...broken });
    assert.throws(() => decodeServiceCreation(parameters), { name: 'ProtocolError', status: 400, message }, message);
  }
});

test('a service is described in the order of the reference', () => {
  const request = decodeServiceCreation(form({ serviceName: 'demo', protectThreshold: '0.8', metadata: 'a=1' }));
  assert.equal(
    encodeService(request, [NEW_DEFAULT_CLUSTER]),
    '{"name":"demo","namespaceId":"public","protectThreshold":0.8,"metadata":{"a":"1"},"selector":{"type":"none"},' +
      '"groupName":"DEFAULT_GROUP","clusters":[{"name":"DEFAULT","healthChecker":{"type":"TCP"},"metadata":{}}]}',
  );
});

test('a selector of a service compares labels of consumer and provider', () => {
  const expression = 'CONSUMER.label.A = PROVIDER.label.A & CONSUMER.label.B=PROVIDER.label.B';
  const text = JSON.stringify({ type: 'label', expression });
  const selector = { type: 'label', expression, labels: ['A', 'B'] };
  assert.deepEqual(decodeSelector(text), selector);
  assert.deepEqual(decodeSelector(encodeURIComponent(text)), selector, 'escaped twice');
  assert.equal(
    encodeSelector(decodeSelector(text)),
    `{"type":"label","expression":"${expression}","labels":["A","B"]}`,
  );
  assert.deepEqual(decodeSelector('{"type":"label"}'), { type: 'label', expression: '', labels: [] });
  for (const broken of ['CONSUMER.label.A = PROVIDER.label.B', 'CONSUMER.label.A', 'A = A', `${expression} &`]) {
    const sent = JSON.stringify({ type: 'label', expression: broken });
    assert.throws(() => decodeSelector(sent), { status: 400, message: 'parse expression failed!' }, broken);
  }
  assert.throws(() => decodeSelector('%zz'), { status: 400, message: "bad percent escape in parameter 'selector'" });
  assert.throws(() => decodeSelector(`"${'x'.repeat(SELECTOR_CHARS_MAX)}"`), { status: 400, message: /longer than/ });
});

test('a list of services is narrowed by metadata of services or instances', () => {
  const select = (expression: string) => decodeListSelector(JSON.stringify({ type: 'label', expression }));
  assert.deepEqual(select("INSTANCE.metadata.zone = 'a'"), { of: 'instance', key: 'zone', value: 'a' });
  assert.deepEqual(select('SERVICE.metadata.owner="x"'), { of: 'service', key: 'owner', value: 'x' });
  assert.equal(select(' '), undefined);
  assert.equal(decodeListSelector(''), undefined);
  for (const broken of [
    'zone',
    'zone = a',
    'INSTANCE.metadata.zone',
    'INSTANCE.metadata.zone = a = b',
    'INSTANCE.=a',
  ]) {
    assert.throws(() => select(broken), { status: 400, message: 'parse expression failed!' }, broken);
  }
});

test('what is missing is said in the words of the reference', () => {
  const instance = {
    ip: '10.0.0.1',
    port: 8080,
    cluster: 'DEFAULT',
    weight: 1,
    healthy: true,
    enabled: true,
    ephemeral: true,
    metadata: new Map(),
    app: '',
  };
  const table: readonly (readonly [Error, number, string])[] = [
    [errors.noService('G@@S'), 404, 'no service G@@S found!'],
    [errors.noInstancesInCluster('c', 'G@@S'), 404, 'no ips found for cluster c in service G@@S'],
    [errors.noMatchedInstance(), 404, 'no matched ip found!'],
    [errors.updatedServiceMissing(SERVICE), 400, 'service not found, namespace: public, service: DEFAULT_GROUP@@demo'],
    [
      errors.updatedInstanceMissing(instance),
      400,
      'instance not exist: 10.0.0.1:8080:unknown:DEFAULT_1.0_true_false_DEFAULT',
    ],
    [errors.patchedInstanceMissing(), 400, 'instance not found'],
    [errors.serviceExists('G@@S'), 400, 'specified service already exists, serviceName : G@@S'],
    [errors.deletedServiceMissing('G@@S'), 400, 'specified service not exist, serviceName : G@@S'],
    [errors.editedServiceMissing('G@@S'), 400, 'service G@@S not found!'],
    [errors.serviceIsMissing('G@@S'), 404, 'service G@@S is not found!'],
    [errors.clusterIsMissing('c'), 404, 'cluster c is not found!'],
    [errors.stillProbed('G@@S'), 400, 'health check is still working, service: G@@S'],
  ];
  for (const [error, status, message] of table)
    assert.partialDeepStrictEqual({ ...error, message: error.message }, { status, message });
});
