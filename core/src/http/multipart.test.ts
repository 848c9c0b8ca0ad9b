import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeMultipart, FIELD_BYTES_MAX, FILE_BYTES_MAX, isMultipart, PARTS_MAX } from './multipart.ts';
import { ProtocolError } from './protocol-error.ts';

const TYPE = 'multipart/form-data; boundary=x1';

function decoded(body: string | Uint8Array, type = TYPE) {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const { fields, file } = decodeMultipart({ 'content-type': type }, bytes);
  return { fields: Object.fromEntries(fields), file: file === undefined ? undefined : Buffer.from(file).toString() };
}

function part(name: string, content: string, more = ''): string {
  return `--x1\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${content}\r\n`;
}

test('fields and the file are told apart, and the first of a name counts', () => {
  const body = `${part('policy', 'SKIP')}${part('file', 'PK\r\n--x', '; filename="a.zip"')}${part('policy', 'ABORT')}--x1--\r\n`;
  assert.deepEqual(decoded(body), { fields: { policy: 'SKIP' }, file: 'PK\r\n--x' });
});

test('what the clients of others send is understood', () => {
  const curl =
    '--------------------------d74496d66958873e\r\nContent-Disposition: form-data; name="file"; filename="e.zip"\r\n' +
    'Content-Type: application/zip\r\n\r\nPK\r\n--------------------------d74496d66958873e--\r\n';
  const type = 'multipart/form-data; boundary=------------------------d74496d66958873e';
  assert.equal(decoded(curl, type).file, 'PK');
  const java =
    '\r\n--x1\r\nContent-Disposition: form-data; name=namespace\r\nContent-Transfer-Encoding: 8bit\r\n' +
    'Content-Length: 3\r\n\r\ndév\r\n--x1--';
  assert.deepEqual(decoded(java, 'multipart/form-data;charset=UTF-8; BOUNDARY="x1";').fields, { namespace: 'dév' });
  assert.deepEqual(decoded(part('file', '', '; filename=""').concat('--x1--')), { fields: {}, file: '' });
  assert.equal(decoded(part('file', 'x', '; filename="a\\".zip; name=\\"b"').concat('--x1--')).file, 'x');
  assert.deepEqual(decoded('--x1--'), { fields: {}, file: undefined });
});

test('only multipart/form-data is a multipart form', () => {
  assert.ok(isMultipart({ 'content-type': 'Multipart/Form-Data; boundary=a' }));
  assert.ok(!isMultipart({ 'content-type': 'multipart/form-database' }));
  assert.ok(!isMultipart({}));
});

test('what is no well-formed form is refused', () => {
  const good = part('a', 'b');
  const bad: readonly (readonly [string, string?])[] = [
    [''],
    ['x'],
    [good],
    [`${good}--x`],
    [`${good}--x1`],
    [`${good}--x2--`],
    [`preamble\r\n${good}--x1--`],
    ['--x1\nContent-Disposition: form-data; name="a"\n\nb\n--x1--'],
    ['--x1\r\nContent-Disposition: form-data; name="a"'],
    ['--x1\r\nContent-Disposition: form-data\r\n\r\nb\r\n--x1--'],
    ['--x1\r\nContent-Disposition: form-data; name=""\r\n\r\nb\r\n--x1--'],
    ['--x1\r\nContent-Disposition: form-data; name="a\r\n\r\nb\r\n--x1--'],
    ['--x1\r\nContent-Disposition: form-data; name="a"; name="b"\r\n\r\nb\r\n--x1--'],
    ['--x1\r\nContent-Disposition: attachment; name="a"\r\n\r\nb\r\n--x1--'],
    ['--x1\r\nContent-Type: text/plain\r\n\r\nb\r\n--x1--'],
    ['--x1\r\n\r\nb\r\n--x1--'],
    ['--x1\r\nbroken\r\n\r\nb\r\n--x1--'],
    ['--x1\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\nYg==\r\n--x1--'],
    [`--x1\r\nContent-Disposition: form-data; name="a"\r\nx: ${'y'.repeat(5_000)}\r\n\r\nb\r\n--x1--`],
    [`${part('file', 'a', '; filename="a"')}${part('file', 'b', '; filename="b"')}--x1--`],
    [`${part('other', 'a', '; filename="a"')}--x1--`],
    [`${good.repeat(PARTS_MAX + 1)}--x1--`],
    [`${good}--x1--`, 'multipart/form-data'],
    [`${good}--x1--`, 'multipart/form-data; boundary='],
    [`${good}--x1--`, `multipart/form-data; boundary=${'x'.repeat(71)}`],
    [`${good}--x1--`, 'multipart/form-data; boundary="x1\r\n"'],
  ];
  for (const [body, type] of bad) {
    assert.throws(() => decoded(body, type), { name: 'ProtocolError', status: 400 }, JSON.stringify(body).slice(0, 90));
  }
  assert.throws(() => decoded(Buffer.from(`${part('a', '\xff')}--x1--`, 'latin1')), { status: 400 });
});

test('fields and files have bounds', () => {
  assert.throws(() => decoded(`${part('a', 'x'.repeat(FIELD_BYTES_MAX + 1))}--x1--`), { status: 413 });
  const file = (bytes: number) => `${part('file', 'x'.repeat(bytes), '; filename="a"')}--x1--`;
  assert.equal(decoded(file(FILE_BYTES_MAX)).file?.length, FILE_BYTES_MAX);
  assert.throws(() => decoded(file(FILE_BYTES_MAX + 1)), { status: 413 });
});

test('any content comes back, and a form that was cut anywhere is refused', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.double({ min: 0, max: 1, noNaN: true }), (content, cut) => {
      const head = Buffer.from('--b+/=?1\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n');
      const body = Buffer.concat([head, content, Buffer.from('\r\n--b+/=?1--')]);
      const headers = { 'content-type': 'multipart/form-data; boundary="b+/=?1"' };
      assert.deepEqual(Buffer.from(decodeMultipart(headers, body).file!), Buffer.from(content));
      const less = body.subarray(0, Math.floor(cut * (body.length - 1)));
      assert.throws(() => decodeMultipart(headers, less), ProtocolError);
    }),
  );
});
