import type { Namespace } from '@nacos-kube/core/model/namespace.ts';
import type { Store } from '../store/store.ts';

const PAGE = 1_000;
/** Shown at most; nobody scrolls further, and the answer has a bound. */
export const NAMESPACES_MAX = 10_000;

/** The namespaces that were made, as the store has them; a row that cannot be read is left out. */
export async function listNamespaces(store: Store): Promise<Namespace[]> {
  const namespaces: Namespace[] = [];
  let after: string | undefined;
  do {
    const page = await store.scanRecords('namespace', PAGE, after);
    for (const { key, value } of page.items) {
      const namespace = decodeNamespace(key, value);
      if (namespace !== undefined) namespaces.push(namespace);
    }
    after = page.next;
  } while (after !== undefined && namespaces.length < NAMESPACES_MAX);
  return namespaces;
}

/** The record of a namespace: key is its id, value `{"name","description"}`. */
function decodeNamespace(id: string, value: string): Namespace | undefined {
  try {
    const { name, description } = JSON.parse(value) as Partial<Namespace>;
    return { id, name: String(name ?? id), description: String(description ?? '') };
  } catch {
    return undefined;
  }
}
