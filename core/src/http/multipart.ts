import type { HttpHeaders } from '../host/host.ts';
import { badRequest, ProtocolError } from './protocol-error.ts';
import type { Form } from './route.ts';

export const PARTS_MAX = 32;
export const PART_HEADER_BYTES_MAX = 4_096;
export const FIELD_BYTES_MAX = 64 * 1024;
export const FILE_BYTES_MAX = 10 * 1024 * 1024;

export interface MultipartForm {
  readonly fields: Form;
  /** The content of the part named `file`; a part of the body, not a copy. */
  readonly file: Uint8Array | undefined;
}

export function isMultipart(headers: HttpHeaders): boolean {
  return /^\s*multipart\/form-data\s*(?:;|$)/i.test(headers['content-type'] ?? '');
}

/**
 * A form with at most one file, named `file`. Strict: what is no well-formed part is refused rather than guessed at, and
 * a transfer encoding is no part of HTTP.
 */
export function decodeMultipart(headers: HttpHeaders, bytes: Uint8Array): MultipartForm {
  const opening = Buffer.from(`--${boundaryOf(headers['content-type'] ?? '')}`, 'latin1');
  const delimiter = Buffer.concat([CRLF, opening]);
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = body.subarray(0, 2).equals(CRLF) ? 2 : 0;
  if (!body.subarray(start, start + opening.length).equals(opening))
    throw malformed('it does not start with a boundary');
  const fields = new Map<string, string>();
  let file: Uint8Array | undefined;
  let count = 0;
  for (let at = start + opening.length; !isEnd(body, at); ) {
    if (++count > PARTS_MAX) throw badRequest(`too many parts in the form: more than ${PARTS_MAX}`);
    const part = nextPart(body, at, delimiter);
    at = part.end + delimiter.length;
    if (!part.isFile) {
      if (part.content.length > FIELD_BYTES_MAX) throw new ProtocolError(413, 'a field of the form is too long');
      if (!fields.has(part.name)) fields.set(part.name, utf8(part.content));
    } else if (part.name !== 'file') {
      throw badRequest('the file of the form must be named file');
    } else if (file !== undefined) {
      throw badRequest('more than one file in the form');
    } else if (part.content.length > FILE_BYTES_MAX) {
      throw new ProtocolError(413, `the file is too large, over ${FILE_BYTES_MAX} bytes`);
    } else {
      file = part.content;
    }
  }
  return { fields, file };
}

const CRLF = Buffer.from('\r\n');
const HEADER_END = Buffer.from('\r\n\r\n');

interface MultipartPart {
  readonly name: string;
  readonly isFile: boolean;
  readonly content: Buffer;
  /** Where the delimiter behind it starts. */
  readonly end: number;
}

/** `at` is behind a delimiter: two dashes there end the form, whatever follows them. */
function isEnd(body: Buffer, at: number): boolean {
  return body[at] === 0x2d && body[at + 1] === 0x2d;
}

function nextPart(body: Buffer, at: number, delimiter: Buffer): MultipartPart {
  let start = at;
  while (body[start] === 0x20 || body[start] === 0x09) start += 1;
  if (!body.subarray(start, start + 2).equals(CRLF)) throw malformed('a boundary does not end its line');
  start += 2;
  const head = body.subarray(start, start + PART_HEADER_BYTES_MAX);
  const headLength = head.indexOf(HEADER_END);
  if (headLength < 0) throw malformed('the header of a part has no end');
  const content = start + headLength + HEADER_END.length;
  const end = body.indexOf(delimiter, content);
  if (end < 0) throw malformed('the last boundary is missing');
  return { ...readHead(utf8(head.subarray(0, headLength))), content: body.subarray(content, end), end };
}

function readHead(text: string): { readonly name: string; readonly isFile: boolean } {
  let found: { readonly name: string; readonly isFile: boolean } | undefined;
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon < 1) throw malformed('a part has a header without name');
    const value = line.slice(colon + 1).trim();
    switch (line.slice(0, colon).toLowerCase()) {
      case 'content-disposition':
        if (found !== undefined) throw malformed('a part has two dispositions');
        found = readDisposition(value);
        break;
      case 'content-transfer-encoding':
        if (!/^(7bit|8bit|binary)$/i.test(value)) throw malformed('a part has a transfer encoding');
    }
  }
  if (found === undefined) throw malformed('a part has no disposition');
  return found;
}

function readDisposition(value: string): { readonly name: string; readonly isFile: boolean } {
  const kind = /^form-data\s*/i.exec(value);
  if (kind === null) throw malformed('a part is no form-data');
  const parameters = readParameters(value.slice(kind[0].length));
  const name = parameters?.get('name');
  if (parameters === undefined || name === undefined || name === '') throw malformed('a part has no name');
  return { name, isFile: parameters.has('filename') || parameters.has('filename*') };
}

function boundaryOf(contentType: string): string {
  const boundary = readParameters(contentType.replace(/^[^;]*/, ''))?.get('boundary') ?? '';
  if (!/^[\w'()+,./:=? -]{0,69}[\w'()+,./:=?-]$/.test(boundary)) throw malformed('it names no boundary');
  return boundary;
}

/** `; name=value; name="value"`; undefined when it is anything else. */
function readParameters(text: string): ReadonlyMap<string, string> | undefined {
  const parameters = new Map<string, string>();
  const one = /\s*;\s*([\w!#$%&'*+.^`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/y;
  const end = text.trimEnd().replace(/;$/, '').length;
  for (let at = 0; at < end; at = one.lastIndex) {
    one.lastIndex = at;
    const found = one.exec(text);
    if (found === null) return undefined;
    const [, name = '', quoted, plain] = found;
    const key = name.toLowerCase();
    if (parameters.has(key)) return undefined;
    parameters.set(key, plain ?? (quoted ?? '').replace(/\\(.)/g, '$1'));
  }
  return parameters;
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ProtocolError(400, 'the form is not valid UTF-8', { cause });
  }
}

function malformed(what: string): ProtocolError {
  return badRequest(`not a valid multipart form: ${what}`);
}
