import type { HttpResponse } from '@nacos-kube/core/host/host.ts';
import { ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import type { Form } from '@nacos-kube/core/http/route.ts';
import type { PublishRequest } from '@nacos-kube/core/wire/config.ts';
import { namespaceNamed, namespaceOf } from '@nacos-kube/core/wire/config-admin.ts';
import { configError } from '@nacos-kube/core/wire/config-errors.ts';
import {
  decodePolicy,
  importDone,
  importFailed,
  notInArchive,
  notInMetadata,
} from '@nacos-kube/core/wire/config-import.ts';
import type { Store } from '../../store/store.ts';
import { checkItems, typeFor, writeBatch } from './batch.ts';
import {
  appNameKey,
  type ConfigMetadata,
  entryName,
  METADATA_BYTES_MAX,
  METADATA_V1,
  METADATA_V2,
  parseMetadataV1,
  parseMetadataV2,
} from './metadata.ts';
import { userOf } from './operator.ts';
import { type Pace, paced } from './pace.ts';
import type { AdminPorts } from './ports.ts';
import { type ArchiveEntry, ArchiveError, IMPORT_BOUNDS, readArchive } from './zip.ts';

/** What a form has filled in: its fields, and the file if there was one. */
export interface ImportAsked {
  readonly form: Form;
  readonly file: Uint8Array | undefined;
  readonly clientIp: string;
}

/** Everything is read and checked before anything is stored. */
export async function importConfigs(ports: AdminPorts, { form, file, clientIp }: ImportAsked): Promise<HttpResponse> {
  const policy = decodePolicy(form);
  const user = userOf(form);
  if (file === undefined) return importFailed('nothing-found', {});
  const namespaceId = namespaceNamed(namespaceOf(form, 'namespace'));
  if (!(await hasNamespace(ports.store, namespaceId))) return importFailed('no-namespace');
  let read: ReadImport | 'bad-metadata';
  try {
    read = await readImport(file, paced(ports.host.clock));
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    switch (error.kind) {
      case 'none':
        return importFailed('nothing-found');
      case 'broken':
        return importFailed('unreadable');
      case 'refused':
        throw configError(400, error.message, { cause: error });
    }
  }
  if (read === 'bad-metadata') return importFailed('bad-metadata');
  if (read.items.length === 0) return importFailed('nothing-found');
  const items = read.items.map(
    ({ type, description, appName, dataId, group, content }): PublishRequest => ({
      ...{ dataId, group, namespaceId, content, user, type: typeFor(type, dataId), appName },
      ...{ description: description ?? null, use: null, effect: null, schema: null, tags: undefined },
    }),
  );
  checkItems(items);
  return importDone(await writeBatch(ports.publisher, items, policy, clientIp), read.unrecognized);
}

/** The public one is always there. */
export async function hasNamespace(store: Store, namespaceId: string): Promise<boolean> {
  return namespaceId === '' || (await store.getRecord('namespace', namespaceId)) !== undefined;
}

interface ReadImport {
  readonly items: readonly (Partial<ConfigMetadata> & {
    readonly dataId: string;
    readonly group: string;
    readonly content: string;
  })[];
  readonly unrecognized: readonly string[];
}

/** The first metadata decides the version; without any it is the first. */
async function readImport(file: Uint8Array, pace: Pace): Promise<ReadImport | 'bad-metadata'> {
  const entries = readArchive(file, IMPORT_BOUNDS);
  const metadata = entries.find(({ name }) => name === METADATA_V1 || name === METADATA_V2);
  const others = entries.filter((entry) => entry !== metadata);
  const text = metadata === undefined ? '' : metadataText(metadata);
  if (text === undefined) return 'bad-metadata';
  if (metadata?.name === METADATA_V2) {
    const items = parseMetadataV2(text);
    return items === undefined ? 'bad-metadata' : readV2(others, items, pace);
  }
  const appNames = parseMetadataV1(text);
  return appNames === undefined ? 'bad-metadata' : readV1(others, appNames, pace);
}

async function readV1(
  entries: readonly ArchiveEntry[],
  appNames: ReadonlyMap<string, string>,
  pace: Pace,
): Promise<ReadImport> {
  const items = [];
  const unrecognized: string[] = [];
  for (const entry of entries) {
    const name = splitName(entry.name);
    if (name === undefined) unrecognized.push(entry.name);
    else items.push({ ...name, content: await contentOf(entry, pace), appName: appNames.get(appNameKey(name)) });
  }
  return { items, unrecognized };
}

async function readV2(
  entries: readonly ArchiveEntry[],
  metadata: readonly ConfigMetadata[],
  pace: Pace,
): Promise<ReadImport> {
  const missing = new Map(metadata.map((item) => [entryName(item), item]));
  const items = [];
  const unrecognized: string[] = [];
  for (const entry of entries) {
    const item = missing.get(entry.name);
    if (splitName(entry.name) === undefined) unrecognized.push(entry.name);
    else if (item === undefined) unrecognized.push(notInMetadata(entry.name));
    else {
      items.push({ ...item, content: await contentOf(entry, pace) });
      missing.delete(entry.name);
    }
  }
  for (const name of missing.keys()) unrecognized.push(notInArchive(name));
  return { items, unrecognized };
}

function splitName(name: string): { readonly group: string; readonly dataId: string } | undefined {
  const [group, dataId, ...more] = name.split('/');
  return group === undefined || dataId === undefined || more.length > 0 ? undefined : { group, dataId };
}

/** Undefined for what is no such text. */
function metadataText(entry: ArchiveEntry): string | undefined {
  if (entry.bytes > METADATA_BYTES_MAX) {
    throw new ArchiveError('refused', `the archive is refused: its metadata is over ${METADATA_BYTES_MAX} bytes`);
  }
  return utf8(entry.content());
}

async function contentOf(entry: ArchiveEntry, pace: Pace): Promise<string> {
  const text = utf8(entry.content());
  await pace(entry.bytes);
  if (text === undefined) throw new ProtocolError(400, `caused: ${entry.name} is not UTF-8 text, nothing was stored;`);
  return text;
}

/** UTF-16 of plain letters passes for UTF-8 with a NUL behind each of them. */
function utf8(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
