/** Requests as clients send them, as texts. */
import type { Check } from './answer.ts';

const AGENT = 'Nacos-Java-Client:v1.4.2';
const LASTING = encodeURIComponent(
  '{"preserved.heart.beat.timeout":"3600000","preserved.ip.delete.timeout":"3600000"}',
);

export const OK: Check = { text: 'ok', full: { kind: 'body', equals: 'ok' } };
export const TRUE: Check = { text: 'true', full: { kind: 'body', equals: 'true' } };
/** Of cleaning: what is gone already is no failure. */
export const ANY: Check = { text: '', full: { kind: 'text' }, isAnyStatus: true };
export const BEATEN: Check = { text: '10200', full: { kind: 'code', equals: 10_200 } };

export interface Requests {
  /** Stands before each name, so that nothing of a server that is in use is touched. */
  readonly prefix: string;
  readonly register: (
    service: string,
    n: number,
    options?: { readonly isLasting?: boolean; readonly weight?: number },
  ) => string;
  readonly deregister: (service: string, n: number) => string;
  readonly removeService: (service: string) => string;
  readonly beat: (service: string, n: number, isFull: boolean) => string;
  readonly list: (service: string, subscriber?: { readonly ip: string; readonly udpPort: number }) => string;
  readonly publish: (dataId: string, content: string) => string;
  readonly getConfig: (dataId: string) => string;
  readonly removeConfig: (dataId: string) => string;
  readonly listen: (dataId: string, md5: string, holdMs: number) => string;
  readonly get: (path: string) => string;
}

/** The address of the n-th instance, up to 4 million of them. */
export function ipOf(n: number): string {
  return `10.${64 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
}

export function requestsFor(contextPath: string, host: string, prefix: string): Requests {
  const request = (method: string, path: string, body = '', headers = ''): string => {
    const type = body === '' ? '' : 'Content-Type: application/x-www-form-urlencoded;charset=UTF-8\r\n';
    const length = method === 'GET' ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
    const head = `${method} ${contextPath}${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: ${AGENT}\r\n`;
    return `${head}${type}${headers}${length}\r\n${body}`;
  };
  const named = (service: string): string => `serviceName=${encodeURIComponent(`DEFAULT_GROUP@@${prefix}${service}`)}`;
  const config = (dataId: string): string => `dataId=${encodeURIComponent(prefix + dataId)}&group=DEFAULT_GROUP`;
  const place = (n: number): string => `ip=${ipOf(n)}&port=8080`;
  return {
    prefix,
    register: (service, n, { isLasting = false, weight = 1 } = {}) => {
      const metadata = isLasting ? `&metadata=${LASTING}` : '';
      const rest = `weight=${weight.toFixed(1)}&ephemeral=true&clusterName=DEFAULT${metadata}`;
      return request('POST', `/v1/ns/instance?${named(service)}&${place(n)}&${rest}`);
    },
    deregister: (service, n) =>
      request('DELETE', `/v1/ns/instance?${named(service)}&${place(n)}&ephemeral=true&clusterName=DEFAULT`),
    removeService: (service) => request('DELETE', `/v1/ns/service?${named(service)}&namespaceId=public`),
    beat: (service, n, isFull) => {
      const query = `/v1/ns/instance/beat?${named(service)}&clusterName=DEFAULT&${place(n)}`;
      if (!isFull) return request('PUT', query);
      const beat = {
        port: 8080,
        ip: ipOf(n),
        weight: 1,
        serviceName: `DEFAULT_GROUP@@${prefix}${service}`,
        cluster: 'DEFAULT',
        metadata: {},
        scheduled: false,
      };
      return request('PUT', query, `beat=${encodeURIComponent(JSON.stringify(beat))}`);
    },
    list: (service, subscriber) => {
      const { ip, udpPort } = subscriber ?? { ip: '', udpPort: 0 };
      const who = `clientIP=${ip}&udpPort=${udpPort}`;
      return request('GET', `/v1/ns/instance/list?${named(service)}&clusters=&healthyOnly=false&${who}`);
    },
    publish: (dataId, content) =>
      request('POST', '/v1/cs/configs', `${config(dataId)}&content=${encodeURIComponent(content)}`),
    getConfig: (dataId) => request('GET', `/v1/cs/configs?${config(dataId)}&tenant=`),
    removeConfig: (dataId) => request('DELETE', `/v1/cs/configs?${config(dataId)}`),
    listen: (dataId, md5, holdMs) => {
      const key = encodeURIComponent(`${prefix}${dataId}\u0002DEFAULT_GROUP\u0002${md5}\u0001`);
      const headers = `Long-Pulling-Timeout: ${holdMs}\r\n`;
      return request('POST', '/v1/cs/configs/listener', `Listening-Configs=${key}`, headers);
    },
    get: (path) => request('GET', path),
  };
}
