import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpRequest } from '../host/host.ts';
import { FakeHost } from '../testing/fake-host.ts';
import { text } from './answers.ts';
import { createPipeline, type PipelineOptions } from './pipeline.ts';
import { badRequest, ProtocolError } from './protocol-error.ts';
import { OPEN, type Route } from './route.ts';

class StoreIsDown extends Error {}

const get = (path: string, handler: Route['handler'], policy: Route['policy'] = OPEN): Route => {
  return { method: 'GET', path, policy, handler };
};

/** A pipeline over some routes; gives `status body`, and notes what is observed. */
function start(routes: readonly Route[], more: Partial<PipelineOptions> = {}) {
  const host = new FakeHost();
  const observed: string[] = [];
  const handler = createPipeline({
    contextPath: '/nacos',
    routes,
    authorize() {},
    clientIp: () => '10.0.0.1',
    answerFailure: (error) => (error instanceof StoreIsDown ? text('the store is down', 503) : undefined),
    observe: (path, method, status) => observed.push(`${method} ${path} ${status}`),
    log: host.log,
    ...more,
  });
  const ask = async (method: string, target: string): Promise<string> => {
    const [path = '', query = ''] = target.split('?', 2);
    const request: HttpRequest = {
      ...{ method, path, query, headers: {}, body: new Uint8Array(), remote: { address: '127.0.0.1', port: 1 } },
      onGone() {},
    };
    const { status, body } = await handler(request);
    return `${status} ${body}`;
  };
  return { ask, observed, host };
}

test('a route is found by its exact path, with one slash more at most, and HEAD as GET', async () => {
  const { ask } = start([get('/a', () => text('yes')), { ...get('/a', () => text('posted')), method: 'POST' }]);
  assert.equal(await ask('GET', '/nacos/a'), '200 yes');
  assert.equal(await ask('GET', '/nacos/a/'), '200 yes');
  assert.equal(await ask('HEAD', '/nacos/a'), '200 yes');
  assert.equal(await ask('POST', '/nacos/a'), '200 posted');
  for (const path of [
    '/a',
    '/nacos/a//',
    '/nacos//a',
    '/nacos/A',
    '/nacos/%61',
    '/nacosa',
    '/nacos/a/b',
    '/nacos',
    '/',
  ]) {
    assert.equal(await ask('GET', path), '404 not found', path);
  }
  assert.equal(await ask('DELETE', '/nacos/a'), '404 not found');
});

test('an empty context path leaves the paths as they are', async () => {
  const { ask } = start([get('/a', () => text('yes')), get('/', () => text('root'))], { contextPath: '' });
  assert.deepEqual([await ask('GET', '/a'), await ask('GET', '/')], ['200 yes', '200 root']);
});

test('who may not is refused before anything of the request is decoded (S2)', async () => {
  const decoded: string[] = [];
  const note = () => {
    decoded.push('handled');
    return text('yes');
  };
  const read = { kind: 'read', area: 'naming' } as const;
  const { ask } = start([get('/a', note, read), get('/no', note, { kind: 'refused', text: 'never' })], {
    authorize(policy) {
      if (policy.kind === 'read') throw new ProtocolError(403, 'forbidden');
    },
  });
  assert.equal(await ask('GET', '/nacos/a?broken=%zz'), '403 forbidden');
  assert.equal(await ask('GET', '/nacos/a/'), '403 forbidden');
  assert.equal(await ask('GET', '/nacos/no?broken=%zz'), '403 never');
  assert.deepEqual(decoded, []);
});

test('the handler gets the decoded form and who called', async () => {
  const { ask } = start([get('/a', ({ form, clientIp }) => text(`${form.get('x')} ${clientIp}`))]);
  assert.equal(await ask('GET', '/nacos/a?x=%C3%B6&x=2'), '200 ö 10.0.0.1');
  assert.match(await ask('GET', '/nacos/a?x=%zz'), /^400 /);
});

test('failures are answered in one place, whether they are thrown or rejected', async () => {
  const failures: readonly (readonly [() => Error, string])[] = [
    [() => badRequest('bad'), '400 bad'],
    [() => new StoreIsDown('down'), '503 the store is down'],
    [() => new TypeError('secret detail'), '500 internal error, the log of the server says more'],
  ];
  for (const [failure, answer] of failures) {
    const { ask, host } = start([
      get('/thrown', () => {
        throw failure();
      }),
      get('/rejected', () => Promise.reject(failure())),
    ]);
    assert.equal(await ask('GET', '/nacos/thrown'), answer);
    assert.equal(await ask('GET', '/nacos/rejected'), answer);
    assert.equal(host.log.lines.length, answer.startsWith('500') ? 2 : 0);
  }
});

test('every answer is observed once, by route and never by what stood in the request', async () => {
  const later = () => Promise.resolve(text('later'));
  const { ask, observed } = start([
    get('/a', () => text('yes')),
    get('/later', later),
    get('/bad', () => {
      throw badRequest('bad');
    }),
  ]);
  for (const path of ['/nacos/a', '/nacos/a/', '/nacos/later', '/nacos/bad', '/nacos/unknown-1', '/nacos/unknown-2']) {
    await ask('GET', path);
  }
  const expected = ['GET /a 200', 'GET /a 200', 'GET /later 200', 'GET /bad 400', 'GET unknown 404', 'GET unknown 404'];
  assert.deepEqual(observed, expected);
});

test('two routes for one call are a mistake that shows at once', () => {
  assert.throws(() => start([get('/a', () => text('1')), get('/a', () => text('2'))]), /two routes for GET \/a/);
});

test('the duration that is observed reaches from the request to its answer', async () => {
  let nowMs = 100;
  const durations: number[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const held = get('/held', () => promise.then(() => text('done')));
  const { ask } = start([held], {
    now: () => nowMs,
    observe: (_path, _method, _status, durationMs) => durations.push(durationMs),
  });
  const answer = ask('GET', '/nacos/held');
  nowMs = 350;
  resolve();
  await answer;
  await ask('GET', '/nacos/nothing');
  assert.deepEqual(durations, [250, 0]);
});
