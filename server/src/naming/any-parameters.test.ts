import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { startNode } from './node-for-tests.ts';

const CALLS = [
  ...['POST', 'PUT', 'DELETE', 'GET'].map((method) => `${method} /service`),
  ...['list', 'names', 'subscribers'].map((name) => `GET /service/${name}`),
  ...['service', 'instances', 'services', 'rt/service'].map((name) => `GET /catalog/${name}`),
  ...['allDomNames', 'srvIPXT', 'clientBeat', 'list'].map((name) => `GET /api/${name}`),
  ...['POST', 'PUT', 'PATCH', 'DELETE', 'GET'].map((method) => `${method} /api`),
  ...['PUT', 'DELETE'].map((method) => `${method} /instance/metadata/batch`),
  ...['PATCH /instance', 'GET /instance/statuses', 'PUT /service/checksum', 'PUT /cluster', 'PUT /health'],
] as const;

/** A parameter is there and well most of the time, so that most calls get far. */
const some = (...well: string[]) =>
  fc.option(
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...well) },
      { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
    ),
    {
      nil: undefined,
      freq: 6,
    },
  );
const LABEL = '{"type":"label","expression":"CONSUMER.label.a = PROVIDER.label.a"}';
const parameters = fc.record({
  serviceName: some('demo', 'g@@demo', 'DEFAULT_GROUP@@demo'),
  dom: some('demo'),
  groupName: some('g', '*', ''),
  namespaceId: some('', 'public', 'dev'),
  key: some('public##DEFAULT_GROUP@@demo', 'g@@demo', '##', '__proto__'),
  ip: some('10.0.0.1', '::1'),
  clientIP: some('10.0.0.1'),
  port: some('80', '0', '65535'),
  clusterName: some('DEFAULT', 'c'),
  weight: some('1', '0.001', '1e4'),
  healthy: some('true', 'no'),
  ephemeral: some('true', 'false'),
  metadata: some('a=1', '{"a":null,"__proto__":"x"}', '{"b":1.50}', ''),
  consistencyType: some('', 'persist', 'ephemeral'),
  instances: some('[{"ip":"10.0.0.1","port":80}]', '[null]', '[{"ip":"10.0.0.1","port":1e99}]', '{}'),
  protectThreshold: some('0.5', '1', '1e40'),
  selector: some(LABEL, '{"type":"none"}', ''),
  checkPort: some('80'),
  useInstancePort4Check: some('true'),
  healthChecker: some('{"type":"NONE"}', '{"type":"MYSQL","pwd":"x"}', '{"type":"HTTP","path":"/"}', '{}'),
  pageNo: some('1', '0', '2147483647'),
  pageSize: some('10', '0', '2147483647'),
  withInstances: some('true', 'false'),
  beat: some('{"ip":"10.0.0.1","port":80}'),
});

test('no parameters of any call do more harm than a refusal, and all that is shown is JSON', async () => {
  const { ask, host } = await startNode();
  const calls = fc.array(fc.tuple(fc.constantFrom(...CALLS), parameters), { minLength: 1, maxLength: 8 });
  const run = async (some: readonly (readonly [string, Record<string, string | undefined>])[]) => {
    for (const [call, values] of some) {
      const [method = '', path = ''] = call.split(' ');
      const query = Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
      const answer = await ask(method, path, new URLSearchParams(query).toString());
      const told = `${call} ${JSON.stringify(values)}: ${answer.slice(0, 200)}`;
      assert.match(answer, /^(?:200|400|404) /, told);
      if (answer.startsWith('200 {') || answer.startsWith('200 ['))
        assert.doesNotThrow(() => JSON.parse(answer.slice(4)), told);
    }
  };
  await fc.assert(fc.asyncProperty(calls, run), { numRuns: 1_000 });
  assert.deepEqual(
    host.log.lines.filter((line) => line.includes('unexpectedly')),
    [],
  );
});
