import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeComponent, decodeForm, PARAMETERS_MAX } from './form.ts';
import { ProtocolError } from './protocol-error.ts';

const FORM_TYPE = 'application/x-www-form-urlencoded';

interface Sent {
  readonly method?: string;
  readonly query?: string;
  readonly type?: string;
  readonly body?: string | Uint8Array;
}

function decoded(sent: Sent): Record<string, string> {
  const body = typeof sent.body === 'string' ? Buffer.from(sent.body) : (sent.body ?? new Uint8Array());
  const headers = sent.type === undefined ? {} : { 'content-type': sent.type };
  return Object.fromEntries(decodeForm({ method: sent.method ?? 'POST', query: sent.query ?? '', headers, body }));
}

/** A text as node:http hands over the raw UTF-8 bytes of a target. */
function asTarget(text: string): string {
  return Buffer.from(text).toString('latin1');
}

test('query and form are merged, the query first, the first value of a name wins', () => {
  const form = decoded({ query: 'a=1&a=2&b=', type: FORM_TYPE, body: 'a=3&c=4&c=5&b=6' });
  assert.deepEqual(form, { a: '1', b: '', c: '4' });
});

test('odd but harmless punctuation passes', () => {
  assert.deepEqual(decoded({ query: '&&a=1&&b&=x&c=d=e&' }), { a: '1', b: '', c: 'd=e' });
  assert.deepEqual(decoded({ query: '' }), {});
  assert.deepEqual(decoded({ query: 'a+b=c+d%2Be' }), { 'a b': 'c d+e' });
});

test('what the clients of others send is understood', () => {
  assert.deepEqual(
    decoded({
      method: 'PUT',
      query: 'serviceName=DEFAULT_GROUP%40%40demo&ip=10.0.0.1&port=8080',
      type: `${FORM_TYPE};charset=UTF-8`,
      body: 'beat=%7B%22ip%22%3A%2210.0.0.1%22%7D&',
    }),
    { serviceName: 'DEFAULT_GROUP@@demo', ip: '10.0.0.1', port: '8080', beat: '{"ip":"10.0.0.1"}' },
    'Java: form with a trailing ampersand',
  );
  assert.deepEqual(
    decoded({
      method: 'PUT',
      type: FORM_TYPE,
      body: 'beat={"ip":"10.0.0.1","metadata":{"k":"v=1"}}&serviceName=DEFAULT_GROUP@@demo',
    }),
    { beat: '{"ip":"10.0.0.1","metadata":{"k":"v=1"}}', serviceName: 'DEFAULT_GROUP@@demo' },
    'Go: raw values in a form',
  );
  assert.deepEqual(
    decoded({ method: 'GET', query: 'serviceName=G@@S&clusters=a,b&selector={"type":"none"}&healthyOnly=false' }),
    { serviceName: 'G@@S', clusters: 'a,b', selector: '{"type":"none"}', healthyOnly: 'false' },
    'Go: raw values in a query',
  );
  assert.deepEqual(
    decoded({ query: 'ip=10.0.0.1&ephemeral=True&enable=False&clusterName=None' }),
    { ip: '10.0.0.1', ephemeral: 'True', enable: 'False', clusterName: 'None' },
    'Python',
  );
  assert.deepEqual(
    decoded({ type: `${FORM_TYPE};charset=GBK`, body: 'content=%E9%85%8D%E7%BD%AE&dataId=a' }),
    { content: '配置', dataId: 'a' },
    'Node: says GBK, sends UTF-8',
  );
});

test('raw UTF-8 in a target or a body is read as UTF-8', () => {
  assert.deepEqual(decoded({ query: asTarget('名=配置+%E9%85%8D') }), { 名: '配置 配' });
  assert.deepEqual(decoded({ type: FORM_TYPE, body: '名=配置' }), { 名: '配置' });
});

test('GBK is decoded where it is declared', () => {
  const gbk = '%C5%E4%D6%C3';
  assert.deepEqual(decoded({ query: `a=${gbk}&encoding=GBK` }), { a: '配置', encoding: 'GBK' });
  assert.deepEqual(decoded({ query: 'encoding=gb2312', type: FORM_TYPE, body: `a=${gbk}` }).a, '配置');
  assert.deepEqual(decoded({ type: FORM_TYPE, body: `x=encoding=&encoding=GBK&a=${gbk}` }).a, '配置');
  assert.deepEqual(decoded({ type: `${FORM_TYPE}; charset="gbk"`, body: `a=${gbk}` }).a, '配置');
  assert.deepEqual(decoded({ query: 'encoding=UTF-8&nofix=1&a=%E9%85%8D' }).a, '配');
});

test('bodies that are no forms are left alone', () => {
  assert.deepEqual(decoded({ type: 'application/json', body: '{"a":"%"}', query: 'b=1' }), { b: '1' });
  assert.deepEqual(decoded({ body: 'a=1' }), {});
  assert.deepEqual(decoded({ type: 'application/x-www-form-urlencodedx', body: 'a=1' }), {});
  assert.deepEqual(decoded({ method: 'GET', type: FORM_TYPE, body: 'a=1' }), {});
});

test('names that look like those that are known stay what they are', () => {
  assert.deepEqual(decoded({ query: 'ip=1&pi=2&iq=3&IP=4&i%70=5&ipx=6&porx=7&por%74=8' }), {
    ...{ ip: '1', pi: '2', iq: '3', IP: '4', ipx: '6', porx: '7', port: '8' },
  });
  assert.deepEqual(decoded({ query: 'serviceName&weight=&app==a%3d=' }), { serviceName: '', weight: '', app: '=a==' });
});

test('a name of an object stays a name', () => {
  const form = decodeForm({ method: 'GET', query: '__proto__=1&constructor=2', headers: {}, body: new Uint8Array() });
  assert.equal(form.get('__proto__'), '1');
  assert.equal(form.get('toString'), undefined);
});

test('bad input is refused with a text that names the parameter', () => {
  const table: readonly (readonly [Sent, string])[] = [
    [{ query: 'ip=%' }, "bad percent escape in parameter 'ip'"],
    [{ query: 'ip=%4' }, "bad percent escape in parameter 'ip'"],
    [{ query: 'ip=%zz' }, "bad percent escape in parameter 'ip'"],
    [{ query: asTarget('ip=ä%z1') }, "bad percent escape in parameter 'ip'"],
    [{ query: '%=1' }, 'bad percent escape in a parameter'],
    [{ query: '%3Cscript%3E=%' }, 'bad percent escape in a parameter'],
    [{ query: 'ip=%C3' }, "parameter 'ip' is not valid UTF-8"],
    [{ query: 'ip=%C0%80' }, "parameter 'ip' is not valid UTF-8"],
    [{ query: 'ip=%ED%A0%80' }, "parameter 'ip' is not valid UTF-8"],
    [{ query: 'ip=\xff' }, "parameter 'ip' is not valid UTF-8"],
    [{ query: 'ip=\u0100' }, "parameter 'ip' is not valid UTF-8"],
    [{ query: 'ip=%FF&encoding=GBK' }, "parameter 'ip' is not valid GBK"],
    [{ query: 'ip=1&encoding=UTF-16' }, "Param 'encoding' is illegal, it should be UTF-8 or GBK"],
    [{ type: FORM_TYPE, body: Uint8Array.of(0x61, 0x3d, 0xff) }, "parameter 'a' is not valid UTF-8"],
    [{ type: `${FORM_TYPE};charset=GBK`, body: 'a=%FF' }, "parameter 'a' is not valid GBK"],
    [{ query: 'a&'.repeat(PARAMETERS_MAX + 1) }, `too many parameters: more than ${PARAMETERS_MAX}`],
    [{ type: FORM_TYPE, body: 'a&'.repeat(PARAMETERS_MAX + 1) }, `too many parameters: more than ${PARAMETERS_MAX}`],
  ];
  for (const [sent, message] of table) {
    assert.throws(() => decoded(sent), { name: 'ProtocolError', status: 400, message });
  }
});

const wellFormed = fc.string({ unit: 'binary' });

test('long values equal what decodeURIComponent makes of them, and are refused where it refuses', () => {
  const part = fc.constantFrom('%', '%4', '%41', '%E4%B8%AD', '%E4%B8', '+', 'a', '{', 'x'.repeat(300));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      const raw = parts.join('');
      let expected: string | undefined;
      try {
        expected = decodeURIComponent(raw.replaceAll('+', ' '));
      } catch {
        assert.throws(() => decodeComponent(raw), ProtocolError);
        return;
      }
      assert.equal(decodeComponent(raw), expected);
    }),
    { numRuns: 2_000 },
  );
});

test('whatever a URL escapes comes back', () => {
  fc.assert(fc.property(wellFormed, (text) => decodeComponent(encodeURIComponent(text)) === text));
  const unescaped = wellFormed.map((text) => text.replaceAll(/[%+]/g, ''));
  fc.assert(fc.property(unescaped, (text) => decodeComponent(asTarget(text)) === text));
  const pairs = fc.uniqueArray(fc.tuple(fc.string({ unit: 'binary', minLength: 1 }), wellFormed), {
    selector: ([name]) => name,
    maxLength: 20,
  });
  fc.assert(
    fc.property(pairs, (sent) => {
      // A parameter of this name is not data: it declares the charset.
      const expected = sent.filter(([name]) => name !== 'encoding');
      const text = new URLSearchParams(expected.map(([name, value]) => [name, value])).toString();
      const asQuery = decodeForm({ method: 'GET', query: text, headers: {}, body: new Uint8Array() });
      const headers = { 'content-type': FORM_TYPE };
      const asBody = decodeForm({ method: 'POST', query: '', headers, body: Buffer.from(text) });
      assert.deepEqual([...asQuery], expected);
      assert.deepEqual([...asBody], expected);
    }),
  );
});

test('no bytes do more harm than a refusal', () => {
  const nasty = fc.string({
    unit: fc.constantFrom('%', '&', '=', '+', 'a', '4', 'encoding=', 'GBK', '\x80', '\xe4', '\0'),
  });
  const anyQuery = fc.oneof(nasty, fc.string({ unit: 'binary' }));
  const anyBody = fc.oneof(
    fc.uint8Array(),
    nasty.map((text) => Buffer.from(text, 'latin1')),
  );
  const anyType = fc.constantFrom(FORM_TYPE, `${FORM_TYPE};charset=GBK`);
  fc.assert(
    fc.property(anyQuery, anyBody, anyType, (query, body, type) => {
      try {
        const form = decodeForm({ method: 'PUT', query, headers: { 'content-type': type }, body });
        for (const [name, value] of form) assert(name.isWellFormed() && value.isWellFormed());
      } catch (error) {
        assert(error instanceof ProtocolError && error.status === 400, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
