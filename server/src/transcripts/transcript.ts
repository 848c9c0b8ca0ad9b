/**
 * What was asked and what was answered, as a text that people read and tests replay:
 *
 *     # a title, or any remark
 *     @ 5000                        virtual ms go by
 *     &                             asked while the last one without this mark is held
 *     > POST /nacos/v1/ns/instance?serviceName=demo&ip=10.0.0.1&port=80
 *     > User-Agent: Nacos-Java-Client:v1.4.2
 *     + a line of the request's body
 *     < 200
 *     < Content-Type: text/plain;charset=UTF-8
 *     | a line of the answer's body
 *
 * A body that is no text stands as `= ` and base64. Headers that say nothing of the call are left out.
 */
export interface Exchange {
  readonly remarks: readonly string[];
  /** Goes by before it is asked. */
  readonly waitMs: number;
  /** Asked while the last one without this is held, which is answered after it. */
  readonly isMeanwhile?: boolean;
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly answer: Answer | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export function parseTranscript(text: string): Exchange[] {
  const exchanges: Exchange[] = [];
  for (const block of text.split(/\n{2,}/).filter((one) => one.trim() !== '')) exchanges.push(parseBlock(block));
  return exchanges;
}

export function printTranscript(exchanges: readonly Exchange[]): string {
  return `${exchanges.map(printExchange).join('\n\n')}\n`;
}

function parseBlock(block: string): Exchange {
  const marked = block
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => [line[0]!, line.slice(2)] as const);
  const of = (mark: string) => marked.filter(([one]) => one === mark).map(([, rest]) => rest);
  const unknown = marked.find(([mark]) => !'#@&>+=<|~'.includes(mark));
  const [call, ...headers] = of('>');
  const space = call?.indexOf(' ') ?? -1;
  if (unknown !== undefined || call === undefined || space < 0) throw new Error(`no exchange:\n${block}`);
  const [status, ...answerHeaders] = of('<');
  return {
    remarks: of('#'),
    waitMs: of('@').reduce((sum, ms) => sum + Number(ms), 0),
    ...(of('&').length > 0 && { isMeanwhile: true }),
    method: call.slice(0, space),
    target: call.slice(space + 1),
    headers: headersOf(headers),
    body: bodyOf(of('+'), of('=')),
    answer:
      status === undefined
        ? undefined
        : { status: Number(status), headers: headersOf(answerHeaders), body: bodyOf(of('|'), of('~')) },
  };
}

function printExchange(exchange: Exchange): string {
  const { remarks, waitMs, isMeanwhile = false, method, target, headers, body, answer } = exchange;
  const lines = [
    ...remarks.map((line) => `# ${line}`),
    ...(waitMs === 0 ? [] : [`@ ${waitMs}`]),
    ...(isMeanwhile ? ['&'] : []),
    `> ${method} ${target}`,
    ...Object.entries(headers).map(([name, value]) => `> ${name}: ${value}`),
    ...printBody(body, '+', '='),
  ];
  if (answer !== undefined) {
    lines.push(`< ${answer.status}`, ...Object.entries(answer.headers).map(([name, value]) => `< ${name}: ${value}`));
    lines.push(...printBody(answer.body, '|', '~'));
  }
  return lines.join('\n');
}

function headersOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  );
}

function bodyOf(lines: readonly string[], base64: readonly string[]): Buffer {
  return base64.length > 0 ? Buffer.from(base64.join(''), 'base64') : Buffer.from(lines.join('\n'));
}

function printBody(body: Buffer, textMark: string, bytesMark: string): string[] {
  if (body.length === 0) return [];
  const text = body.toString();
  // Line ends other than \n, blanks at the end and odd characters would not survive as lines of a text.
  const isPlain = Buffer.from(text).equals(body) && !/[\r\u0000-\u0008\u000b-\u001f\u2028]|[ \t]$/m.test(text);
  if (isPlain) return text.split('\n').map((line) => `${textMark} ${line}`.trimEnd());
  return (body.toString('base64').match(/.{1,100}/g) ?? []).map((line) => `${bytesMark} ${line}`);
}
