import type { Instance, Metadata } from '@nacos-kube/core/model/instance.ts';
import { Recent } from '@nacos-kube/core/recent.ts';
import { encodeMetadata } from '@nacos-kube/core/wire/naming-metadata.ts';

/** Values that are remembered, at most twice: those of now and those of before. */
export const SHARED_MAX = 1_024;
/** What is longer is nobody else's. */
export const SHARED_CHARS_MAX = 1_024;

/**
 * The instances of a service say the same of themselves, each in texts of its own: of equal ones only one is kept, which
 * is half of what a hundred thousand instances take. What has not been seen for long is forgotten.
 */
export class SharedValues {
  readonly #metadata = new Recent<Metadata>(SHARED_MAX);
  readonly #texts = new Recent<string>(SHARED_MAX);

  of(instance: Instance): Instance {
    const metadata = this.#metadataOf(instance.metadata);
    const [cluster, app] = [this.#text(instance.cluster), this.#text(instance.app)];
    // Field by field: an object of this form takes less than one that was spread.
    const { ip, port, weight, healthy, enabled, ephemeral, instanceId } = instance;
    return { ip, port, cluster, weight, healthy, enabled, ephemeral, metadata, instanceId, app };
  }

  /** In the place of one that is there, whose id and health stay; so do texts that are equal, and nothing new of them lives on. */
  replacing(known: Instance, wanted: Instance): Instance {
    const { healthy, instanceId } = known;
    const { port, weight, enabled, ephemeral } = wanted;
    const ip = wanted.ip === known.ip ? known.ip : wanted.ip;
    const cluster = wanted.cluster === known.cluster ? known.cluster : this.#text(wanted.cluster);
    const app = wanted.app === known.app ? known.app : this.#text(wanted.app);
    const metadata = this.#metadataOf(wanted.metadata);
    return { ip, port, cluster, weight, healthy, enabled, ephemeral, metadata, instanceId, app };
  }

  #metadataOf(metadata: Metadata): Metadata {
    if (metadata.size === 0) return metadata;
    const text = encodeMetadata(metadata);
    return text.length > SHARED_CHARS_MAX ? metadata : shared(this.#metadata, text, metadata);
  }

  #text(text: string): string {
    return text.length > SHARED_CHARS_MAX ? text : shared(this.#texts, text, text);
  }
}

/** The value that was given for this key before, else this one. */
function shared<T>(recent: Recent<T>, key: string, value: T): T {
  const before = recent.get(key);
  if (before !== undefined) return before;
  recent.set(key, value);
  return value;
}
