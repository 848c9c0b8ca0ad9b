import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { DiskError, type Host } from '@nacos-kube/core/host/host.ts';
import { createNodeHost } from '@nacos-kube/core/host/node/node-host.ts';
import { Command } from 'commander';
import { DataFolderError, takeFolderOfStore } from '../data-folder.ts';
import { openStore } from '../open.ts';
import { backupSqlite, removeDatabase } from '../sqlite-backup.ts';
import { type Store, StoreError } from '../store.ts';
import { writeBackup } from './backup.ts';
import { type BackupFacts, BackupSource, checkBackup } from './backup-source.ts';
import { copyStore } from './copy.ts';
import { MoveError, MoveStoppedError } from './move-error.ts';
import { PATIENCE_MS, Patience } from './patience.ts';
import { Progress } from './progress.ts';
import { type MoveSource, StoreSource } from './store-source.ts';
import { StoreTarget } from './store-target.ts';
import { parseStoreUrl, type StoreAddress, URL_FORMS } from './store-url.ts';

const FROM_PASSWORD = 'NACOS_KUBE_FROM_PASSWORD';
const TO_PASSWORD = 'NACOS_KUBE_TO_PASSWORD';
const WRONG_TOLD_MAX = 20;
/** As shells have it for a program that a signal ended. */
const INTERRUPTED = 130;

const HELP = `
A URL is one of
  ${URL_FORMS.join('\n  ')}

A password in a URL is seen by all who list the processes of the machine: rather name a file that holds it, or put it
into ${FROM_PASSWORD} or ${TO_PASSWORD}.
`;

interface Flags {
  readonly from: string;
  readonly to: string;
  readonly fromPasswordFile?: string;
  readonly toPasswordFile?: string;
  readonly state?: string;
  readonly intoExisting?: true;
}

/** `nacos-kube store`: what is done with a whole store, beside the nodes that use it. */
export function storeCommand(): Command {
  const command = new Command('store').description('move, back up and restore the central store').exitOverride();
  const from = (one: Command) =>
    one
      .requiredOption('--from <URL>', 'store that is read; nodes may go on using it')
      .option('--from-password-file <FILE>', 'file that holds its password');
  const to = (one: Command) =>
    one
      .requiredOption('--to <URL>', 'store that is written')
      .option('--to-password-file <FILE>', 'file that holds its password')
      .option('--into-existing', 'write over what the target has; else it must be empty')
      .option(
        '--state <FILE>',
        'where it is kept how far the copy is (default: a name made of both URLs, in this directory)',
      );
  const add = (name: string, summary: string) => command.command(name).description(summary).addHelpText('after', HELP);

  to(from(add('copy', 'copy all of one store into another, and compare every item'))).action((flags: Flags) =>
    perform((host, isStopped) => copy(host, flags, isStopped)),
  );
  from(add('backup', 'write all of a store to a file; of sqlite to a sqlite file when its name ends in .sqlite'))
    .argument('<FILE>', 'file to write')
    .action((file: string, flags: Flags) => perform((host, isStopped) => backup(host, file, flags, isStopped)));
  to(add('restore', 'write a backup into a store, and compare every item'))
    .argument('<FILE>', 'a backup')
    .action((file: string, flags: Flags) => perform((host, isStopped) => restore(host, file, flags, isStopped)));
  command
    .command('check')
    .description('read a backup to its end, and say whether it is whole')
    .argument('<FILE>', 'a backup')
    .action((file: string) => perform(async () => say(described(file, await factsOf(file)))));
  return command;
}

async function copy(host: Host, flags: Flags, isStopped: () => boolean): Promise<void> {
  const from = await addressOf(host, flags.from, flags.fromPasswordFile, FROM_PASSWORD);
  if (from.settings.kind === 'sqlite') {
    await requireFile(host, from.settings.path);
    const to = parseStoreUrl(flags.to).settings;
    if (to.kind === 'sqlite') await requireOther(from.settings.path, to.path);
  }
  const patience = new Patience(host, PATIENCE_MS, isStopped);
  await withStore(host, patience, from, async (store) => {
    await into(host, flags, new StoreSource(store, from.place, patience), isStopped);
  });
}

async function restore(host: Host, file: string, flags: Flags, isStopped: () => boolean): Promise<void> {
  const facts = await factsOf(file);
  say(described(file, facts));
  await into(host, flags, new BackupSource(file, facts), isStopped);
}

async function into(host: Host, flags: Flags, source: MoveSource, isStopped: () => boolean): Promise<void> {
  const address = await addressOf(host, flags.to, flags.toPasswordFile, TO_PASSWORD);
  if (address.place === source.place) throw new MoveError(`${source.place} is source and target at once`);
  const name = createHash('sha256').update(`${source.place} ${address.place}`).digest('hex').slice(0, 8);
  const progress = new Progress(host.clock, say);
  if (address.settings.kind === 'sqlite') await requireUnused(host, address.settings.path);
  const patience = new Patience(host, PATIENCE_MS, isStopped);
  await withStore(host, patience, address, async (store) => {
    const target = new StoreTarget(store, address.place, patience);
    const statePath = flags.state ?? `nacos-kube-copy-${name}.json`;
    const isIntoExisting = flags.intoExisting === true;
    const { wrong, compared } = await copyStore({
      ...{ host, source, target, statePath, isIntoExisting, progress, isStopped },
    });
    if (target.pastLeftOut > 0) say(`left out: past writes, which ${store.kind} has no way to take`);
    for (const line of wrong.slice(0, WRONG_TOLD_MAX)) say(`not as in the source: ${line}`);
    if (wrong.length > 0) throw new MoveError(`${wrong.length} of ${compared} rows are not in ${target.place}`);
    say(`${target.place} has all ${compared} rows of ${source.place}`);
    if (compared === 0) sayNothingIn(source.place);
  });
  requireUndamaged(progress);
}

async function backup(host: Host, file: string, flags: Flags, isStopped: () => boolean): Promise<void> {
  const from = await addressOf(host, flags.from, flags.fromPasswordFile, FROM_PASSWORD);
  if (file.endsWith('.sqlite') && from.settings.kind !== 'sqlite') {
    const other = `nacos-kube store copy --to sqlite:${file}`;
    throw new MoveError(
      `${file} is a store by its name, and a backup of ${from.place} is none: rename it, or ${other}`,
    );
  }
  await requireUnused(host, file);
  await requireNoStore(host, file);
  if (from.settings.kind === 'sqlite') await requireOther(from.settings.path, file);
  const progress = new Progress(host.clock, say);
  const patience = new Patience(host, PATIENCE_MS, isStopped);
  const write = (address: StoreAddress) =>
    withStore(host, patience, address, async (store) => {
      const source = new StoreSource(store, from.place, patience);
      progress.begin('written');
      const rows = await writeBackup({ host, source, kind: store.kind, path: file, progress, isStopped });
      say(`${file}: ${rows} rows of ${from.place} (${progress.summary()})`);
      if (rows === 0) sayNothingIn(from.place);
    });
  if (from.settings.kind !== 'sqlite') await write(from);
  else if (file.endsWith('.sqlite')) {
    await backupSqlite(host, from.settings.path, file);
    say(`${file}: a copy of ${from.settings.path}, checked`);
  } else {
    // All rows of one moment.
    const path = `${file}.snapshot`;
    try {
      await backupSqlite(host, from.settings.path, path);
      await write({ settings: { kind: 'sqlite', path }, place: from.place });
    } catch (cause) {
      if (!(cause instanceof StoreError)) throw cause;
      // Nobody has named the copy in between: it lies where FILE will, and is damaged or foreign as its source is.
      const message = cause.message.replaceAll(`${path}.part`, file).replaceAll(path, from.settings.path);
      throw new MoveError(message, { cause });
    } finally {
      await removeDatabase(host, path);
    }
  }
  requireUndamaged(progress);
}

function requireUndamaged({ damagedRows }: Progress): void {
  if (damagedRows.size === 0) return;
  throw new MoveError(`done, but for ${damagedRows.size} rows that are damaged in the source`);
}

async function factsOf(file: string): Promise<BackupFacts> {
  if (file.endsWith('.sqlite')) {
    throw new MoveError(`${file} is a store by its name: nacos-kube store copy --from sqlite:${file} --to URL`);
  }
  return checkBackup(file);
}

function described(file: string, { header, rows, counts }: BackupFacts): string {
  const texts = [...counts].map(([what, count]) => `${what} ${count}`);
  return `${file} is whole: ${rows} rows of ${header.from} (${texts.join(', ') || 'nothing'})`;
}

async function withStore(
  host: Host,
  patience: Patience,
  { settings }: StoreAddress,
  work: (store: Store) => Promise<void>,
): Promise<void> {
  const store = await openStore(host, settings);
  try {
    await patience.with(() => store.start());
    await work(store);
  } finally {
    await store.stop();
  }
}

async function addressOf(
  host: Host,
  url: string,
  passwordFile: string | undefined,
  variable: string,
): Promise<StoreAddress> {
  if (passwordFile === undefined) return parseStoreUrl(url, process.env[variable]);
  const address = parseStoreUrl(url, await passwordIn(host, passwordFile));
  const { kind } = address.settings;
  if (kind === 'sqlite' || kind === 'memory') {
    throw new MoveError(`${address.place} has no password, but ${passwordFile} is named`);
  }
  if (kind === 'etcd' && address.settings.user === undefined) {
    throw new MoveError(`the password in ${passwordFile} needs a user: etcd://USER@HOST:PORT`);
  }
  return address;
}

async function passwordIn(host: Host, file: string): Promise<string> {
  try {
    return new TextDecoder().decode(await host.disk.read(file)).trimEnd();
  } catch (cause) {
    if (cause instanceof DiskError && cause.kind === 'missing') {
      throw new MoveError(`there is no file ${file}, which should hold the password`, { cause });
    }
    throw cause;
  }
}

/** A source that is not there would be made, and copied as an empty one. */
async function requireFile(host: Host, path: string): Promise<void> {
  if ((await host.disk.stat(path)) === undefined) throw new MoveError(`there is no file ${path}`);
}

/** A node that runs has what it read of its own store in memory; until this program ends none is started on it. */
async function requireUnused(host: Host, path: string): Promise<void> {
  try {
    await takeFolderOfStore(host, path);
  } catch (error) {
    if (error instanceof DataFolderError) throw new MoveError(error.message, { cause: error });
    throw error;
  }
}

/** By whatever names: a backup would take the place of the store that it is of, and a copy feed itself without end. */
async function requireOther(from: string, to: string): Promise<void> {
  const [one, other] = await Promise.all([from, to].map((path) => stat(path).catch(() => undefined)));
  if (one === undefined || one.dev !== other?.dev || one.ino !== other.ino) return;
  throw new MoveError(`${from} is source and target at once`);
}

/** A log left beside what takes its place would be taken for a part of that. */
async function requireNoStore(host: Host, file: string): Promise<void> {
  for (const log of [`${file}-wal`, `${file}-journal`]) {
    if ((await host.disk.stat(log)) === undefined) continue;
    throw new MoveError(
      `${file} is a store in use, or one that was not closed, for there is ${log}: name another file`,
    );
  }
}

async function perform(work: (host: Host, isStopped: () => boolean) => Promise<void>): Promise<void> {
  const host = createNodeHost({ name: 'store', logLevel: 'warn', logFormat: 'text' });
  let isStopped = false;
  const stop = (): void => {
    if (isStopped) process.exit(INTERRUPTED);
    isStopped = true;
    say('stopping behind this page; a second signal ends at once');
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    await work(host, () => isStopped);
  } catch (error) {
    if (error instanceof MoveStoppedError) {
      say(error.message);
      process.exitCode = INTERRUPTED;
      return;
    }
    if (error instanceof DiskError) throw new MoveError(error.message, { cause: error });
    throw error;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

/** An empty store is none of another program, but it may be another one than the one that is meant. */
function sayNothingIn(place: string): void {
  say(`nothing of nacos-kube is in ${place}: see to it that it is the right one`);
}

function say(line: string): void {
  console.log(line);
}
