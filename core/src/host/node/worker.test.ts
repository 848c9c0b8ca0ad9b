import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startWorker } from './worker.ts';

const here = new URL('./worker.ts', import.meta.url).href;
const module = (source: string) =>
  new URL(`data:text/javascript,${encodeURIComponent(`import { workerPort } from '${here}';\n${source}`)}`);

test('messages go both ways and a worker that closes its port ends', async () => {
  const worker = startWorker<string, string>(
    module(`const port = workerPort();
      port.onMessage((text) => { if (text === 'end') port.close(); else port.post(port.data.greeting + text); });`),
    { greeting: 'hello ' },
  );
  const answers: string[] = [];
  const exited = new Promise<Error | undefined>((resolve) => worker.onExit(resolve));
  worker.onMessage((answer) => {
    answers.push(answer);
    if (answers.length === 2) worker.post('end');
  });
  worker.post('a');
  worker.post('b');
  assert.equal(await exited, undefined);
  assert.deepEqual(answers, ['hello a', 'hello b']);
});

test('a worker that fails tells its error, one that is stopped none', async () => {
  const failing = startWorker(module('throw new TypeError("broken");'), {});
  assert.match(String(await new Promise((resolve) => failing.onExit(resolve))), /TypeError: broken/);

  const lasting = startWorker(module('workerPort().onMessage(() => {});'), {});
  const exited = new Promise((resolve) => lasting.onExit(resolve));
  await lasting.stop();
  assert.equal(await exited, undefined);
});
