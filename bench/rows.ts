/** What is measured: for each row the requests, what must stand in each answer, and what has to be there before. */
export interface Row {
  readonly name: string;
  readonly connections: number;
  readonly requests: readonly string[];
  readonly expect: string;
  readonly prepare?: readonly string[];
}

const AGENT = 'Nacos-Java-Client:v1.4.2';

export function request(method: string, path: string, body = ''): string {
  const type = body === '' ? '' : 'Content-Type: application/x-www-form-urlencoded;charset=UTF-8\r\n';
  const head = `${method} /nacos${path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: ${AGENT}\r\n${type}`;
  return `${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

const register = (service: string, n: number): string =>
  request(
    'POST',
    `/v1/ns/instance?serviceName=${service}&ip=10.1.${n >> 8}.${n & 255}&port=8080&weight=1.0&ephemeral=true`,
  );

const LISTS = [1, 10, 100, 1000];

/** Each instance of a list is kept alive for the whole run by long time-outs of its own. */
function registerLasting(service: string, n: number): string {
  const metadata = encodeURIComponent(
    '{"preserved.heart.beat.timeout":"3600000","preserved.ip.delete.timeout":"3600000"}',
  );
  return request(
    'POST',
    `/v1/ns/instance?serviceName=${service}&ip=10.1.${n >> 8}.${n & 255}&port=8080&metadata=${metadata}`,
  );
}

function beat(n: number, isFull: boolean): string {
  const [ip, port] = [`10.1.${n >> 8}.${n & 255}`, 8080];
  const serviceName = `DEFAULT_GROUP%40%40beats-${n % 100}`;
  const query = `/v1/ns/instance/beat?serviceName=${serviceName}&clusterName=DEFAULT&ip=${ip}&port=${port}`;
  if (!isFull) return request('PUT', query);
  const full = {
    port,
    ip,
    weight: 1,
    serviceName: 'DEFAULT_GROUP@@beats',
    cluster: 'DEFAULT',
    metadata: {},
    scheduled: false,
  };
  return request('PUT', query, `beat=${encodeURIComponent(JSON.stringify(full))}`);
}

const thousand = Array.from({ length: 1_000 }, (_, n) => n);
const content = 'x'.repeat(1_024);

export const ROWS: readonly Row[] = [
  ...LISTS.map((hosts) => ({
    name: `instance list, ${hosts} host${hosts === 1 ? '' : 's'}`,
    connections: 32,
    prepare: Array.from({ length: hosts }, (_, n) => registerLasting(`list-${hosts}`, n)),
    requests: [
      request(
        'GET',
        `/v1/ns/instance/list?serviceName=DEFAULT_GROUP%40%40list-${hosts}&clusters=&healthyOnly=false&udpPort=0`,
      ),
    ],
    expect: '"lastRefTime"',
  })),
  {
    name: 'heartbeat, light',
    connections: 32,
    prepare: thousand.map((n) => register(`beats-${n % 100}`, n)),
    requests: thousand.map((n) => beat(n, false)),
    expect: '10200',
  },
  { name: 'heartbeat, full', connections: 32, requests: thousand.map((n) => beat(n, true)), expect: '10200' },
  {
    name: 'register',
    connections: 32,
    requests: Array.from({ length: 20_000 }, (_, n) => register(`register-${n % 1_000}`, n)),
    expect: 'ok',
  },
  {
    name: 'config get, 1 KB',
    connections: 32,
    prepare: [request('POST', '/v1/cs/configs', `dataId=bench&group=DEFAULT_GROUP&content=${content}`)],
    requests: [request('GET', '/v1/cs/configs?dataId=bench&group=DEFAULT_GROUP&tenant=')],
    expect: content,
  },
  {
    name: 'config publish, 1 KB, durable',
    connections: 64,
    requests: Array.from({ length: 2_000 }, (_, n) =>
      request('POST', '/v1/cs/configs', `dataId=publish-${n}&group=DEFAULT_GROUP&content=${n}${content}`),
    ),
    expect: 'true',
  },
];
