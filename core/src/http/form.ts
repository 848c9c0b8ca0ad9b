import { isAscii } from 'node:buffer';
import type { HttpRequest } from '../host/host.ts';
import { badRequest, ProtocolError } from './protocol-error.ts';
import type { Form } from './route.ts';

/** Of the query and of the body, each; no client of the protocol sends more than about twenty. */
export const PARAMETERS_MAX = 256;

export type Charset = 'utf-8' | 'gbk';

/**
 * Query and form body in one map: the query first, the first value of a name wins. The only decoder of parameters:
 * what is no valid escape or no valid text of its charset is refused, never replaced. Raw characters that a URL should
 * escape pass, since the Go client sends braces, quotes and `@@` as they are (spec: naming 0.2).
 */
export function decodeForm(request: Pick<HttpRequest, 'method' | 'query' | 'headers' | 'body'>): Form {
  if (request.body.length === 0 || request.method === 'GET') return formOfQuery(request.query);
  const { isForm, isGbk } = bodyTypeOf(request.headers['content-type'] ?? '');
  if (!isForm) return formOfQuery(request.query);
  return formOfBoth(request.query, asBuffer(request.body), isGbk);
}

function formOfQuery(query: string): Form {
  const form = new Map<string, string>();
  addQuery(form, query, charsetOfQuery(query) ?? 'utf-8');
  return form;
}

function formOfBoth(query: string, bytes: Buffer, isGbk: boolean): Form {
  const body = bytes.length <= SHORT_BODY_BYTES_MAX ? bytes.toString('latin1') : bytes;
  const charset = charsetOfQuery(query) ?? charsetOfBody(body) ?? 'utf-8';
  const decode = isAscii(bytes) ? decodeAscii : decodeComponent;
  const form = new Map<string, string>();
  addQuery(form, query, charset);
  if (charset === 'gbk' || !isGbk) {
    addBody(form, body, charset, decode);
    return form;
  }
  // The Node client says charset=GBK and sends UTF-8, old Java clients say it and mean it: so valid UTF-8 wins.
  const merged = new Map(form);
  try {
    addBody(merged, body, 'utf-8', decode);
    return merged;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    addBody(form, body, 'gbk', decode);
    return form;
  }
}

/**
 * One name or value as it stood on the wire, each code unit one byte (as node:http gives a target): `+` is a space,
 * `%XX` a byte. The message of a refusal names the parameter.
 */
export function decodeComponent(raw: string, charset: Charset = 'utf-8', parameter?: string): string {
  return /[\x80-\uffff]/.test(raw) ? decodeBytes(raw, charset, parameter) : decodeAscii(raw, charset, parameter);
}

type Decode = (raw: string, charset: Charset, parameter: string | undefined) => string;

/** Of what is known to be ASCII, as most bodies are: their bytes tell in a tenth of the time that a pattern takes. */
function decodeAscii(raw: string, charset: Charset, parameter: string | undefined): string {
  const [hasEscapes, hasSpaces] = [raw.includes('%'), raw.includes('+')];
  if (!hasEscapes && !hasSpaces) return raw;
  if (charset !== 'utf-8') return decodeBytes(raw, charset, parameter);
  const spaced = hasSpaces ? raw.replaceAll('+', ' ') : raw;
  if (!hasEscapes) return spaced;
  try {
    return spaced.length < LONG_CHARS ? decodeURIComponent(spaced) : decodeMiddle(spaced);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw /%(?![0-9a-fA-F]{2})/.test(raw) ? badEscape(parameter) : badText(parameter, charset);
  }
}

/** From here on it is looked for what need not be decoded. Shorter ones are made anew, and keep no body alive. */
const LONG_CHARS = 256;

/** What stands before the first escape and behind the last one, in many contents nearly all, is not looked at again. */
function decodeMiddle(raw: string): string {
  const start = raw.indexOf('%');
  const end = lastEscape(raw, start) + ESCAPE_CHARS;
  return raw.slice(0, start) + decodeURIComponent(raw.slice(start, end)) + raw.slice(end);
}

/** To look from the front is cheap, from behind it is done letter by letter. */
function lastEscape(raw: string, first: number): number {
  let last = first;
  for (let count = 1; count < FEW_ESCAPES; count++) {
    const next = raw.indexOf('%', last + 1);
    if (next < 0) return last;
    last = next;
  }
  return raw.lastIndexOf('%');
}

const FEW_ESCAPES = 8;
const ESCAPE_CHARS = 3;
const PERCENT = 0x25;
const AMPERSAND = 0x26;
const PLUS = 0x2b;
const EQUALS = 0x3d;

function decodeBytes(raw: string, charset: Charset, parameter: string | undefined): string {
  const bytes = new Uint8Array(raw.length);
  let length = 0;
  for (let i = 0; i < raw.length; i++) {
    const unit = raw.charCodeAt(i);
    if (unit > 0xff) throw badText(parameter, charset);
    if (unit === PERCENT) {
      const high = hexDigit(raw.charCodeAt(i + 1));
      const low = hexDigit(raw.charCodeAt(i + 2));
      if (high < 0 || low < 0) throw badEscape(parameter);
      bytes[length++] = high * 16 + low;
      i += 2;
    } else {
      bytes[length++] = unit === PLUS ? 0x20 : unit;
    }
  }
  try {
    return new TextDecoder(charset, { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, length));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw badText(parameter, charset);
  }
}

/** -1 when it is none, also beyond the end of a text (NaN). */
function hexDigit(unit: number): number {
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30;
  const letter = unit | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

function badEscape(parameter: string | undefined): ProtocolError {
  return badRequest(`bad percent escape in ${nameOf(parameter)}`);
}

function badText(parameter: string | undefined, charset: Charset): ProtocolError {
  return badRequest(`${nameOf(parameter)} is not valid ${charset.toUpperCase()}`);
}

function nameOf(parameter: string | undefined): string {
  return parameter !== undefined && /^[\w.-]{1,64}$/.test(parameter) ? `parameter '${parameter}'` : 'a parameter';
}

/**
 * Every request comes through here: what is plain stays as it stands, and nothing is looked at letter by letter.
 * `decode`: for values that are not plain.
 */
function addQuery(form: Map<string, string>, query: string, charset: Charset, decode: Decode = decodeComponent): void {
  let count = 0;
  const { length } = query;
  for (let start = 0; start < length; ) {
    const ampersand = query.indexOf('&', start);
    const end = ampersand < 0 ? length : ampersand;
    if (end > start) {
      checkCount(++count);
      const equals = query.indexOf('=', start);
      const hasValue = equals >= 0 && equals < end;
      const name = nameAt(query, start, hasValue ? equals : end, charset);
      if (name !== '' && !form.has(name)) {
        const value = hasValue ? query.slice(equals + 1, end) : '';
        form.set(name, isPlain(value) ? value : decode(value, charset, name));
      }
    }
    start = end + 1;
  }
}

/** False as well for what is better looked at where it is decoded. */
function isPlain(text: string): boolean {
  if (text.length >= LONG_CHARS) return false;
  if (text.length > SHORT_CHARS_MAX) return !/[%+\x80-\uffff]/.test(text);
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === PERCENT || unit === PLUS || unit > 0x7f) return false;
  }
  return true;
}

/** Up to here a loop costs less than a pattern. */
const SHORT_CHARS_MAX = 12;

/** What clients say most. */
const NAMES = [
  ...['serviceName', 'namespaceId', 'groupName', 'ip', 'port', 'clusterName', 'weight', 'enabled', 'enable', 'healthy'],
  ...['ephemeral', 'metadata', 'app', 'clusters', 'healthyOnly', 'clientIP', 'udpPort', 'beat', 'encoding'],
  ...['dataId', 'group', 'tenant', 'content', 'Listening-Configs'],
];
/** By length and first letter; few share both. */
const namesLike = new Array<string[] | undefined>(32 << 7).fill(undefined);
for (const name of NAMES) {
  const like = (name.length << 7) | name.charCodeAt(0);
  namesLike[like] = [...(namesLike[like] ?? []), name];
}

/** A name that is there already costs a look: one made anew has to be found among all texts when a map is asked for it. */
function nameAt(query: string, start: number, end: number, charset: Charset): string {
  const names = namesLike[((end - start) << 7) | query.charCodeAt(start)];
  if (names !== undefined) for (const name of names) if (query.startsWith(name, start)) return name;
  const name = query.slice(start, end);
  return isPlain(name) ? name : decodeComponent(name, charset);
}

/** Cuts bytes, not one long text: a part of a text keeps the whole alive, and a body may be 10 MB. */
function addBody(form: Map<string, string>, body: string | Buffer, charset: Charset, decode: Decode): void {
  if (typeof body === 'string') {
    addQuery(form, body, charset, decode);
    return;
  }
  let count = 0;
  for (let start = 0; start < body.length; ) {
    const ampersand = body.indexOf(AMPERSAND, start);
    const end = ampersand < 0 ? body.length : ampersand;
    if (end > start) {
      checkCount(++count);
      const equals = body.indexOf(EQUALS, start);
      const hasValue = equals >= 0 && equals < end;
      const name = body.toString('latin1', start, hasValue ? equals : end);
      add(form, name, hasValue ? body.toString('latin1', equals + 1, end) : '', charset, decode);
    }
    start = end + 1;
  }
}

/** What a body may be that is kept alive by a part of it. */
const SHORT_BODY_BYTES_MAX = 2_048;

function checkCount(count: number): void {
  if (count > PARAMETERS_MAX) throw badRequest(`too many parameters: more than ${PARAMETERS_MAX}`);
}

function add(form: Map<string, string>, rawName: string, rawValue: string, charset: Charset, decode: Decode): void {
  const name = decodeComponent(rawName, charset);
  if (name === '' || form.has(name)) return;
  form.set(name, decode(rawValue, charset, name));
}

interface BodyType {
  readonly isForm: boolean;
  readonly isGbk: boolean;
}

let lastType = '';
let lastBodyType: BodyType = { isForm: false, isGbk: false };

/** The last one is remembered, as most requests have the same. */
function bodyTypeOf(contentType: string): BodyType {
  if (contentType === lastType) return lastBodyType;
  lastBodyType = {
    isForm: /^\s*application\/x-www-form-urlencoded\s*(?:;|$)/i.test(contentType),
    isGbk: /charset="?gb(?:k|2312|18030)\b/i.test(contentType),
  };
  lastType = contentType;
  return lastBodyType;
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The parameter `encoding` re-declares the charset of all values; it is read raw, before anything is decoded. */
function charsetOfQuery(query: string): Charset | undefined {
  if (!query.includes('encoding=')) return undefined;
  const found = /(?:^|&)encoding=([^&]*)/.exec(query);
  return found?.[1] ? charsetNamed(found[1]) : undefined;
}

function charsetOfBody(body: string | Buffer): Charset | undefined {
  if (typeof body === 'string') return charsetOfQuery(body);
  for (let at = body.indexOf('encoding='); at >= 0; at = body.indexOf('encoding=', at + 1)) {
    if (at > 0 && body[at - 1] !== AMPERSAND) continue;
    const name = body.subarray(at + 'encoding='.length, at + 64).toString('latin1');
    const end = name.indexOf('&');
    return end === 0 || name === '' ? undefined : charsetNamed(end < 0 ? name : name.slice(0, end));
  }
  return undefined;
}

function charsetNamed(name: string): Charset {
  if (/^utf-?8$/i.test(name)) return 'utf-8';
  if (/^gb(?:k|2312|18030)$/i.test(name)) return 'gbk';
  throw badRequest("Param 'encoding' is illegal, it should be UTF-8 or GBK");
}
