import { load, loadAll } from 'js-yaml';
import type { NacosCluster } from '../generated/nacos-cluster.ts';
import { GROUP, KIND, VERSION } from '../generated/nacos-cluster.ts';
import { neededSecrets, storageOf } from '../resources/storage.ts';
import { checkAgainst, type Schema } from './schema.ts';

export const MANIFEST_BYTES_MAX = 1024 * 1024;
export const DOCUMENTS_MAX = 64;

/** On Kubernetes a shared file is no store for several members; on one machine it is. */
export const SHARED_STORE_RULE = 'self.replicas <= 1 || !has(self.storage) || !has(self.storage.embedded)';

export interface LocalManifest {
  readonly cluster: NacosCluster;
  /** What the Secrets of its database hold, by their keys: user, password, ca.crt and so on. */
  readonly database: Readonly<Record<string, string>> | undefined;
  /** Documents that mean nothing on this machine, as `Kind/name`. */
  readonly skipped: readonly string[];
}

/** What is wrong with a manifest, each problem with what to do. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
  constructor(file: string, problems: readonly string[]) {
    super(`${file} cannot be used:\n  ${problems.join('\n  ')}`);
  }
}

interface Document {
  readonly apiVersion?: unknown;
  readonly kind?: unknown;
  readonly metadata?: { readonly name?: unknown } | null;
}

/** Reads one NacosCluster, and the Secret of its database if it names one. Throws `ManifestError`. */
export function readManifest(file: string, text: string, crdYaml: string): LocalManifest {
  const fail = (...problems: readonly string[]) => new ManifestError(file, problems);
  if (text.length > MANIFEST_BYTES_MAX) throw fail(`it is larger than ${MANIFEST_BYTES_MAX} bytes`);
  const documents = documentsOf(text, fail);
  const clusters = documents.filter(isCluster);
  const [document] = clusters;
  if (document === undefined) {
    throw fail(`it has no NacosCluster: a document with apiVersion ${GROUP}/${VERSION} and kind ${KIND} is needed`);
  }
  if (clusters.length > 1) throw fail(`it has ${clusters.length} NacosClusters: up runs one, put each in a file`);
  if (document.apiVersion !== `${GROUP}/${VERSION}`) throw fail(`apiVersion must be ${GROUP}/${VERSION}`);
  if (typeof document.metadata?.name !== 'string') throw fail('metadata.name is missing: it names the cluster');

  const { value, problems } = checkAgainst(schemaOf(crdYaml), document, new Set([SHARED_STORE_RULE]));
  if (problems.length > 0) throw fail(...problems);
  const { spec, ...rest } = value as NacosCluster;
  // On one machine a file is a store for all, and takes no program beside the nodes.
  const cluster = { ...rest, spec: { ...spec, storage: spec.storage ?? { embedded: { size: '1Gi' } } } };
  const needed = neededSecrets(storageOf(cluster)).map(({ name, keys }) => {
    const secret = documents.find((one) => one.kind === 'Secret' && one.metadata?.name === name);
    if (secret === undefined) {
      throw fail(`the Secret ${name} of spec.storage is not in the file: add it after a line ---`);
    }
    return { secret, values: valuesOf(secret, keys, fail) };
  });
  return {
    cluster,
    database: needed.length === 0 ? undefined : Object.assign({}, ...needed.map(({ values }) => values)),
    skipped: documents.filter((one) => one !== document && !needed.some(({ secret }) => secret === one)).map(nameOf),
  };
}

function documentsOf(text: string, fail: (problem: string) => ManifestError): readonly Document[] {
  let values: unknown[];
  try {
    values = loadAll(text);
  } catch (error) {
    throw fail(`it is no YAML: ${(error as Error).message}`);
  }
  if (values.length > DOCUMENTS_MAX) throw fail(`it has ${values.length} documents, ${DOCUMENTS_MAX} are the most`);
  return values.filter((value): value is Document => typeof value === 'object' && value !== null);
}

function isCluster({ apiVersion, kind }: Document): boolean {
  return kind === KIND && String(apiVersion).startsWith(`${GROUP}/`);
}

function nameOf({ kind, metadata }: Document): string {
  return `${String(kind)}/${String(metadata?.name)}`;
}

export function schemaOf(crdYaml: string): Schema {
  interface Crd {
    readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Schema } }[] };
  }
  const version = (load(crdYaml) as Crd).spec.versions[0];
  if (version === undefined) throw new Error('the CRD has no version');
  return version.schema.openAPIV3Schema;
}

function valuesOf(
  secret: Document,
  keys: readonly string[],
  fail: (...problems: readonly string[]) => ManifestError,
): Readonly<Record<string, string>> {
  const { stringData, data } = secret as { readonly stringData?: unknown; readonly data?: unknown };
  const textOf = (key: string): string | undefined => {
    const plain = fieldOf(stringData, key);
    if (plain !== undefined) return plain;
    const encoded = fieldOf(data, key);
    return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
  };
  const values = keys.map((key) => [key, textOf(key)] as const);
  if (values.some(([, text]) => text === undefined)) {
    const names = keys.join(' and ');
    throw fail(`${nameOf(secret)} needs the keys ${names}, as texts under stringData or base64 under data`);
  }
  return Object.fromEntries(values) as Record<string, string>;
}

function fieldOf(object: unknown, key: string): string | undefined {
  if (typeof object !== 'object' || object === null || !Object.hasOwn(object, key)) return undefined;
  const value = (object as Record<string, unknown>)[key];
  return typeof value === 'string' ? value : undefined;
}
