import type { Config, ConfigKey } from '@nacos-kube/core/model/config.ts';
import { takeUpTo } from './blobs.ts';
import type { EtcdContext } from './context.ts';
import { nameOf } from './keys.ts';
import { KEYS_PER_READ_MAX, readEach } from './kv.ts';
import { configOf, getConfig } from './reads.ts';
import { type ConfigHead, DamagedValueError, readConfigHead } from './values.ts';

interface Asked {
  readonly key: ConfigKey;
  readonly resolve: (config: Config | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Configurations by name. Those that are asked for in one turn of the loop, as by a node that follows what others
 * publish, are read together: all heads in one request, then the contents in as few as may bring so much.
 */
export class ConfigReads {
  readonly #etcd: EtcdContext;
  #asked: Asked[] = [];

  constructor(etcd: EtcdContext) {
    this.#etcd = etcd;
  }

  get(key: ConfigKey): Promise<Config | undefined> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ key, resolve, reject });
      if (this.#asked.length === 1) queueMicrotask(() => this.#readAsked());
    });
  }

  #readAsked(): void {
    const asked = this.#asked;
    this.#asked = [];
    for (let start = 0; start < asked.length; start += KEYS_PER_READ_MAX) {
      const some = asked.slice(start, start + KEYS_PER_READ_MAX);
      this.#read(some).catch((error: unknown) => {
        for (const { reject } of some) reject(error);
      });
    }
  }

  async #read(asked: readonly Asked[]): Promise<void> {
    const [only] = asked;
    if (asked.length === 1) only!.resolve(await getConfig(this.#etcd, only!.key));
    else await this.#readTogether(asked);
  }

  async #readTogether(asked: readonly Asked[]): Promise<void> {
    const { client, keys, blobs } = this.#etcd;
    const requests = asked.map(({ key }) => ({ key: keys.config(nameOf(key)) }));
    const reads = await readEach(client, client.patience(), requests);
    const found = asked.flatMap((one, i) => {
      const head = headOf(one, reads[i]!.kvs[0]?.value);
      return head === undefined ? [] : [{ ...head, one }];
    });
    for (let start = 0; start < found.length; ) {
      const part = takeUpTo(found, start);
      const onDamage = (i: number, error: DamagedValueError) => part[i]!.one.reject(error);
      const contents = await blobs.read(client.patience(), part, reads[0]!.revision, onDamage);
      // Whoever has its own needs the others no longer, so that no more than a part stands in memory.
      for (const [i, { one, ...head }] of part.entries()) {
        if (contents[i] !== undefined) one.resolve(configOf(head, contents[i]));
      }
      start += part.length;
    }
  }
}

/** Undefined when there is none to read on from, which whoever asked is told. */
function headOf({ key, resolve, reject }: Asked, value: Buffer | undefined): ConfigHead | undefined {
  const { dataId, group, namespaceId } = key;
  if (value === undefined) {
    resolve(undefined);
    return undefined;
  }
  try {
    return readConfigHead({ dataId, group, namespaceId }, value);
  } catch (error) {
    if (!(error instanceof DamagedValueError)) throw error;
    reject(error);
    return undefined;
  }
}
