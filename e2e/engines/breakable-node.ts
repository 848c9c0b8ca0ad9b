/**
 * A node as `nacos-kube server` puts it together, for tests alone: it kills itself at a named step when it meets a
 * content that says so, once for each step; `MUTANT` has it fail as the reference did, and `STORE=away` starts it
 * without its store.
 */
import { existsSync, promises, readFileSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Disk, Host, Network } from '@nacos-kube/core/host/host.ts';
import { createNodeHost } from '@nacos-kube/core/host/node/node-host.ts';
import { createMembership, HINT_PATH } from '@nacos-kube/server/members/create.ts';
import { createNacosServer } from '@nacos-kube/server/server.ts';
import { loadNodeSettings } from '@nacos-kube/server/settings/settings.ts';
import { openStore } from '@nacos-kube/server/store/open.ts';
import { type Store, StoreError } from '@nacos-kube/server/store/store.ts';
import { type Step, stopAt } from './steps.ts';

const { MUTANT, STORE } = process.env;
/** Since it looked last. */
let isHinted = false;
const flags = flagsOf(process.argv.slice(3));
const data = flags.data!;

const machine = createNodeHost({ name: 'node', logLevel: 'info', logFormat: 'text' });
const host: Host = { ...machine, disk: stopping(machine.disk), network: answering(machine.network) };
stopBeforeRename();
const settings = await loadNodeSettings(host, { flags, env: {}, properties: new Map() });
const store = broken(await openStore(host, settings.storage));
if (MUTANT === 'clears the dump') await machine.disk.remove(`${data}/config`);
const membership = createMembership(host, settings);
await createNacosServer({ host, settings, store, membership, withProcessMetrics: false }).lifecycle.start();

function broken(whole: Store): Store {
  const putConfig = whole.putConfig.bind(whole);
  whole.putConfig = async (write) => {
    endIf('before commit', write.content);
    const written = await putConfig(write);
    endIf('after commit', write.content);
    return written;
  };
  // Whoever was not told by the publisher itself never looks (F9).
  if (MUTANT === 'no follow') {
    const changes = whole.changes.bind(whole);
    whole.changes = async (from, limit) => {
      if (!isHinted) return { gap: false, changes: [], upTo: from };
      isHinted = false;
      return changes(from, limit);
    };
  }
  if (STORE === 'away') {
    const away = () => Promise.reject(new StoreError('unavailable', 'the store is away'));
    Object.assign(whole, { start: away, revision: away, changes: away, scanConfigs: away, scanVariants: away });
    Object.assign(whole, { getConfig: away, scanRecords: away, getRecord: away, putConfig: away });
  }
  return whole;
}

/** The answer is there, and nobody gets it. */
function answering(network: Network): Network {
  return {
    ...network,
    serve: (options, handler) =>
      network.serve(options, async (request) => {
        if (request.path === HINT_PATH) isHinted = true;
        const response = await handler(request);
        const isPublish = request.method === 'POST' && request.path.endsWith('/v1/cs/configs');
        if (isPublish) endIf('after cache', new URLSearchParams(`${Buffer.from(request.body)}`).get('content') ?? '');
        return response;
      }),
  };
}

function stopping(disk: Disk): Disk {
  return {
    ...disk,
    write: (path, content, options) => {
      endIf('before dump', `${Buffer.from(content)}`);
      return disk.write(path, content, options);
    },
  };
}

/** Between the file that was written beside the old one and its taking the name of that. */
function stopBeforeRename(): void {
  const rename = promises.rename;
  promises.rename = async (from, to) => {
    if (`${to}`.startsWith(join(data, 'config'))) endIf('before rename', readFileSync(from, 'utf8'));
    return rename(from, to);
  };
  syncBuiltinESMExports();
}

function endIf(step: Step, content: string): void {
  if (!content.includes(stopAt(step))) return;
  const marker = join(data, `ended ${step}`);
  if (existsSync(marker)) return;
  writeFileSync(marker, '');
  process.kill(process.pid, 'SIGKILL');
  // Nothing after this may happen, also while the signal is on its way.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** Without the word `server`, which stands first. */
function flagsOf(args: readonly string[]): Record<string, string> {
  const { tokens } = parseArgs({ args: [...args], strict: false, tokens: true });
  const found: Record<string, string> = {};
  for (const [i, token] of tokens.entries()) {
    const next = tokens[i + 1];
    if (token.kind === 'option')
      found[camel(token.name)] = token.value ?? (next?.kind === 'positional' ? next.value : '');
  }
  return found;
}

/** As the command line names them. */
function camel(name: string): string {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
