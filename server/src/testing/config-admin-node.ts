import { type AskMore, PORT, startNode } from './started-node.ts';

/** A node, and what tests of its administration ask of it again and again. */
export async function startAdminNode(...how: Parameters<typeof startNode>) {
  const { host, server, ask: send } = await startNode(...how);
  const ask = (method: string, path: string, query: Readonly<Record<string, string>> = {}, more: AskMore = {}) =>
    send(method, `/nacos/v1/${path}?${new URLSearchParams(query)}`, more);
  /** The bytes of the answer; work that other threads do ends while this waits. */
  const bytes = async (path: string, query: Readonly<Record<string, string>>) => {
    const answered = host.network.ask(PORT, `/nacos/v1/${path}?${new URLSearchParams(query)}`);
    await host.advance(50);
    const { status, headers, body } = await answered;
    return { status, headers, body: typeof body === 'string' ? Buffer.from(body) : Buffer.from(body) };
  };
  const publish = async (fields: Readonly<Record<string, string>>) => {
    const answer = await ask(
      'POST',
      'cs/configs',
      {},
      { form: String(new URLSearchParams({ group: 'g', ...fields })) },
    );
    if (answer.text !== 'true') throw new Error(`${answer.status} ${answer.text}`);
  };
  const read = async (dataId: string, tenant = '') =>
    (await ask('GET', 'cs/configs', { dataId, group: 'g', tenant })).text;
  const found = async (query: Readonly<Record<string, string>> = {}) => {
    const all = { search: 'blur', dataId: '', group: '', pageNo: '1', pageSize: '500', ...query };
    return JSON.parse((await ask('GET', 'cs/configs', all)).text) as {
      readonly totalCount: number;
      readonly pagesAvailable: number;
      readonly pageItems: readonly { readonly id: string; readonly dataId: string; readonly group: string }[];
    };
  };
  const upload = (file: Uint8Array, query: Readonly<Record<string, string>> = {}) =>
    ask('POST', 'cs/configs', { import: 'true', ...query }, formWith(file));
  return { host, server, ask, bytes, publish, read, found, upload };
}

/** A multipart form with the file and other fields, as browsers send it. */
export function formWith(file: Uint8Array, fields: Readonly<Record<string, string>> = {}): AskMore {
  const head = (name: string, more = '') => `--b\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`;
  const texts = Object.entries(fields).map(([name, value]) => `${head(name)}${value}\r\n`);
  const body = Buffer.concat([
    Buffer.from(`${texts.join('')}${head('file', '; filename="import.zip"')}`),
    file,
    Buffer.from('\r\n--b--\r\n'),
  ]);
  return { headers: { 'content-type': 'multipart/form-data; boundary=b' }, body };
}
