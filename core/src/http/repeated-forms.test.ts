import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { HttpRequest } from '../host/host.ts';
import { decodeForm } from './form.ts';
import {
  decodedOnce,
  REPEATED_BODY_BYTES_MAX,
  REPEATED_QUERY_CHARS_MAX,
  RepeatedCall,
  RepeatedForms,
} from './repeated-forms.ts';
import type { Call, Form } from './route.ts';

const FORM_TYPE = 'application/x-www-form-urlencoded';

test('what is kept of requests that repeat equals what is decoded anew', () => {
  const forms = new RepeatedForms();
  const part = fc.constantFrom('a', 'b', '=', '&', '+', '%', '%40', '%E4%B8%AD', '%ff', 'ÿ', 'encoding=gbk', 'x=1');
  const text = fc.array(part, { maxLength: 4 }).map((parts) => parts.join(''));
  const method = fc.constantFrom('GET', 'PUT', 'POST');
  const type = fc.constantFrom(undefined, FORM_TYPE, `${FORM_TYPE};charset=GBK`, 'application/json');
  fc.assert(
    fc.property(method, text, text, type, (sent, query, body, contentType) => {
      const headers = contentType === undefined ? {} : { 'content-type': contentType };
      const request = { method: sent, query, headers, body: Buffer.from(body, 'latin1') };
      const anew = told(() => decodeForm(request));
      for (let time = 0; time < 2; time++) {
        const kept = forms.of(request);
        const made = () =>
          kept === undefined
            ? decodeForm(request)
            : decodedOnce(new RepeatedCall(request as unknown as HttpRequest, '', kept), (form) => new Map(form));
        assert.deepEqual(told(made), anew);
      }
    }),
    { numRuns: 3_000 },
  );
});

test('the same request finds the same form, one that differs in its query, body or content type another', () => {
  const forms = new RepeatedForms();
  const request = (query: string, body: string, type = FORM_TYPE) => {
    return { method: 'PUT', query, headers: { 'content-type': type }, body: Buffer.from(body) };
  };
  const kept = forms.of(request('a=1', 'b=2'));
  assert.ok(kept !== undefined);
  assert.equal(forms.of(request('a=1', 'b=2')), kept);
  for (const other of [request('a=2', 'b=2'), request('a=1', 'b=3'), request('a=1', 'b=2', 'text/plain')]) {
    assert.notEqual(forms.of(other), kept);
  }
  assert.equal(forms.of(request('', '')), forms.of(request('', '', 'text/plain')), 'without a body it has no type');
});

test('what is long is not kept, nor a query with a body that is not looked at', () => {
  const forms = new RepeatedForms();
  const none = { method: 'GET', headers: {}, body: new Uint8Array() };
  assert.equal(forms.of({ ...none, query: 'x'.repeat(REPEATED_QUERY_CHARS_MAX + 1) }), undefined);
  assert.equal(forms.of({ ...none, query: 'x', body: Buffer.from('y') }), undefined);
  const long = Buffer.alloc(REPEATED_BODY_BYTES_MAX + 1, 'x');
  assert.equal(forms.of({ ...none, method: 'PUT', query: '', body: long }), undefined);
});

test('a form that somebody asks for is kept as well', () => {
  const forms = new RepeatedForms();
  const request = { method: 'GET', query: 'a=1', headers: {}, body: new Uint8Array() } as unknown as HttpRequest;
  const call = () => new RepeatedCall(request, '', forms.of(request)!);
  assert.deepEqual([...call().form], [['a', '1']]);
  assert.equal(call().form, call().form);
  assert.equal(
    decodedOnce(call(), (form) => form),
    call().form,
  );
});

test('what a route makes of a form that is kept is made once, of others each time; a refusal is made each time', () => {
  const forms = new RepeatedForms();
  const request = { method: 'GET', query: 'a=1', headers: {}, body: new Uint8Array() };
  let made = 0;
  const decode = (form: Form) => {
    made++;
    if (form.get('a') === 'bad') throw new Error('refused');
    return { a: form.get('a') };
  };
  const call = (query: string): Call => {
    const kept = forms.of({ ...request, query });
    assert.ok(kept !== undefined);
    return new RepeatedCall({ ...request, query } as unknown as HttpRequest, '', kept);
  };
  assert.equal(decodedOnce(call('a=1'), decode), decodedOnce(call('a=1'), decode));
  assert.equal(made, 1);
  assert.deepEqual(decodedOnce(call('a=2'), decode), { a: '2' });
  for (let time = 0; time < 2; time++) assert.throws(() => decodedOnce(call('a=bad'), decode), /refused/);
  const notKept: Call = { ...call('a=1'), kept: undefined, form: new Map([['a', '1']]) };
  assert.notEqual(decodedOnce(notKept, decode), decodedOnce(notKept, decode));
});

function told(decode: () => Form): unknown {
  try {
    return [...decode()];
  } catch (error) {
    return (error as Error).message;
  }
}
