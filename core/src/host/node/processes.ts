import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { LINE_CHARS_MAX, ProcessError, type Processes, type RunningProcess } from '../processes.ts';

/** Set for a child of ours: its standard input is a pipe that only its parent holds open. */
const PARENT_PIPE = 'NACOS_KUBE_PARENT_PIPE';

/**
 * Children must not outlive their parent, not even when that is killed without a chance to clean up. No portable call
 * asks for it, so each child gets a pipe as its standard input that its parent never writes to: the kernel closes the
 * parent's end however the parent dies, and the child, which called `whenParentIsGone`, ends itself.
 *
 * They stand in process groups of their own, so that Ctrl-C reaches the parent alone and it stops them in its order.
 */
export const nodeProcesses: Processes = {
  spawn(command, args, options) {
    return new Promise((resolve, reject) => {
      const child = spawn(command, args, {
        cwd: options.workingDirectory,
        env: { ...process.env, ...options.env, [PARENT_PIPE]: 'stdin' },
        stdio: ['pipe', 'pipe', 'pipe'],
        detached: true,
      });
      child.stdin.on('error', () => {}); // a child that closed its input has ended or will
      const { onOutput } = options;
      forEachLine(child.stdout, (line) => onOutput?.(line, 'stdout'));
      forEachLine(child.stderr, (line) => onOutput?.(line, 'stderr'));
      const exited: RunningProcess['exited'] = new Promise((exit) => {
        // 'close' comes after 'exit', when its last output was read.
        child.once('close', (code, signal) => exit({ code, signal }));
      });
      child.on('error', (cause) => {
        if (child.pid === undefined) reject(new ProcessError(`cannot start ${command}: ${cause.message}`, { cause }));
      });
      child.once('spawn', () => {
        resolve({ pid: child.pid as number, exited, kill: (signal) => void child.kill(signal) });
      });
    });
  },
};

/** For `main` of a program: calls back once when it was started by `spawn` above and the parent is gone. */
export function whenParentIsGone(run: () => void): void {
  if (process.env[PARENT_PIPE] !== 'stdin') return;
  delete process.env[PARENT_PIPE]; // a pipe of ours is not the one of our own children
  let isGone = false;
  const gone = () => {
    if (isGone) return;
    isGone = true;
    run();
  };
  process.stdin.on('end', gone);
  process.stdin.on('close', gone);
  process.stdin.on('error', gone);
  process.stdin.resume();
  // Watching is no reason for a program that is done to stay.
  if ('unref' in process.stdin) process.stdin.unref();
}

function forEachLine(stream: Readable, run: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() as string;
    for (const line of lines) run(line.endsWith('\r') ? line.slice(0, -1) : line);
    while (rest.length > LINE_CHARS_MAX) {
      run(rest.slice(0, LINE_CHARS_MAX));
      rest = rest.slice(LINE_CHARS_MAX);
    }
  });
  stream.on('end', () => {
    if (rest !== '') run(rest);
  });
  stream.on('error', () => {});
}
