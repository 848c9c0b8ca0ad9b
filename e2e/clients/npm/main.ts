/** The npm package `nacos` behind the JSON lines of ../program.ts; the end of the input ends the program. */
import { once } from 'node:events';
import { onLines } from '../lines.ts';
import { NpmCalls } from './calls.ts';
import { type Parameters, takeStdout } from './wire.ts';

const write = takeStdout();
const calls = new NpmCalls(write);
let last = Promise.resolve();
onLines(process.stdin, (line) => {
  last = last.then(() => perform(JSON.parse(line) as Parameters));
});
await once(process.stdin, 'end');
await last;
await calls.close();
// Its polling of lists and its long poll have no end of their own.
process.exit(0);

async function perform(call: Parameters): Promise<void> {
  try {
    write({ id: call.id, value: await calls.perform(call.call, call) });
  } catch (error) {
    write({ id: call.id, error: { message: error instanceof Error ? error.message : String(error) } });
  }
}
