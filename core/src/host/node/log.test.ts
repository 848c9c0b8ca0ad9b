import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog, LINES_PER_SECOND_MAX, type LogSettings } from './log.ts';
import { describeError } from './log-line.ts';

function recording(settings: Partial<LogSettings> = {}) {
  const lines: string[] = [];
  let nowMs = 0;
  const log = createLog({
    process: 'node-1',
    level: 'debug',
    format: 'text',
    now: () => nowMs,
    write: (line) => void lines.push(line),
    ...settings,
  });
  const setNow = (ms: number) => {
    nowMs = ms;
  };
  return { log, lines, setNow };
}

test('a text line has time, level, process, area, message and facts', () => {
  const { log, lines } = recording();
  log.area('distro').warn('peer is silent', { peer: 'node 2', afterMs: 2000, none: undefined, list: ['a'] });
  assert.deepEqual(lines, [
    '1970-01-01T00:00:00.000Z WARN  node-1 distro: peer is silent peer="node 2" afterMs=2000 list="[\\"a\\"]"\n',
  ]);
});

test('a json line keeps facts in an object of their own', () => {
  const { log, lines } = recording({ format: 'json' });
  log.info('hello', { level: 'forged', count: 1, on: true });
  assert.deepEqual(JSON.parse(lines[0] as string), {
    time: '1970-01-01T00:00:00.000Z',
    level: 'info',
    process: 'node-1',
    area: 'main',
    message: 'hello',
    facts: { level: 'forged', count: 1, on: true },
  });
});

test('no text in message or facts can end a line or steer a terminal', () => {
  for (const format of ['text', 'json'] as const) {
    const { log, lines } = recording({ format });
    const evil = 'a\r\n2026 ERROR b\u001b[2J\u2028\u202e\u0085\u0000';
    log.info(evil, { evil, error: new Error(evil) });
    assert.equal(lines.length, 1);
    assert.match(lines[0] as string, /^[^\u0000-\u001f\u007f-\u009f\u2028\u202e]+\n$/);
  }
});

test('a cause that the error has told already is not told again', () => {
  const cause = new Error('connect ECONNREFUSED 127.0.0.1:1');
  assert.equal(
    describeError(new TypeError(`POST /x: ${cause.message}`, { cause })),
    `TypeError: POST /x: ${cause.message}`,
  );
});

test('an error shows its causes, and its stack at level error only', () => {
  const { log, lines } = recording();
  const error = new Error('store failed', { cause: new TypeError('socket') });
  log.warn('w', { error });
  log.error('e', { error });
  assert.match(lines[0] as string, /error="Error: store failed < TypeError: socket"\n$/);
  assert.match(lines[1] as string, / errorStack="Error: store failed\\n/);
});

test('lines below the level are not written', () => {
  const { log, lines } = recording({ level: 'warn' });
  log.debug('d');
  log.info('i');
  log.warn('w');
  log.area('x').info('i');
  log.area('x').error('e');
  assert.equal(lines.length, 2);
});

test('secrets are blanked out wherever they stand', () => {
  const { log, lines } = recording({ secrets: ['hunter22', 'abc'] });
  log.info('key hunter22', { url: 'x?password=hunter22', word: 'abc' });
  assert.ok(!lines[0]?.includes('hunter22'));
  assert.ok(lines[0]?.includes('word=abc'), 'a text too short to be a secret is left alone');
});

test('a flood is cut and its size told in the next second', () => {
  const { log, lines, setNow } = recording();
  for (let i = 0; i < LINES_PER_SECOND_MAX + 5; i++) log.info('again');
  assert.equal(lines.length, LINES_PER_SECOND_MAX);
  setNow(1000);
  log.info('calm');
  assert.match(lines.at(-2) as string, /log lines were dropped lines=5/);
  assert.match(lines.at(-1) as string, /calm/);
});

test('values that cannot be put into words do not stop a line', () => {
  const { log, lines } = recording();
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  log.info('odd', { cycle, big: 1n, text: 'x'.repeat(10_000) });
  assert.equal(lines.length, 1);
  assert.ok((lines[0] as string).length < 5_000);
});

test('the level of an area changes while it is used, and no other with it', () => {
  const { log, lines } = recording({ level: 'info' });
  const [push, config] = [log.area('push'), log.area('config')];
  push.debug('one');
  log.levels.set('push', 'debug');
  push.debug('two');
  config.debug('three');
  log.levels.set('push', 'error');
  push.warn('four');
  assert.deepEqual(
    lines.map((line) => line.trim().split(': ')[1]),
    ['two'],
  );
  assert.deepEqual([log.levels.of('push'), log.levels.of('config')], ['error', 'info']);
});

test('an area can be given its level before anything writes to it', () => {
  const { log, lines } = recording({ level: 'info' });
  log.levels.set('later', 'debug');
  log.area('later').debug('here');
  assert.equal(lines.length, 1);
});
