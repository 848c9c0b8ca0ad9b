import { hash } from 'node:crypto';
import type { ConfigKey, VariantId } from '@nacos-kube/core/model/config.ts';
import { readVariantText, variantText } from '../history.ts';
import type { RecordKind } from '../store.ts';

/**
 * Where things stand, all below the prefix:
 *
 *   version                                      of this layout
 *   head                                         what the last write changed; each write puts it, so its versions are the feed
 *   floor                                        ids given from now on are higher
 *   lock                                         held by the node that cleans up
 *   config/<namespace>/<group>/<dataId>          all of a configuration but its content
 *   id/<id>                                      the name of a configuration that stands
 *   gone/<id>                                    the name of one that is gone
 *   history/<namespace>/<group>/<dataId>/<nid>   a past write, the newest first
 *   nid/<nid>                                    the same in order of time, with what is needed to forget it
 *   variant/<namespace>/<group>/<dataId>/<variant>
 *   record/<kind>/<key>
 *   removals/<shard>                             put by each removal of a record whose key falls there
 *   blob/<blob>/<number>                         a piece of a content, never changed
 */
export class Keys {
  readonly prefix: string;

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  get version(): Buffer {
    return this.#key('version');
  }

  get head(): Buffer {
    return this.#key('head');
  }

  get floor(): Buffer {
    return this.#key('floor');
  }

  get lock(): Buffer {
    return this.#key('lock');
  }

  config(name: string): Buffer {
    return this.#key(`config/${name}`);
  }

  /** Of one namespace, or of all. */
  configs(namespaceId?: string): KeyRange {
    return this.#under(namespaceId === undefined ? 'config/' : `config/${escaped(namespaceId)}/`);
  }

  id(id: string): Buffer {
    return this.#key(`id/${sortable(id)}`);
  }

  ids(): KeyRange {
    return this.#under('id/');
  }

  gone(id: string): Buffer {
    return this.#key(`gone/${sortable(id)}`);
  }

  history(name: string, nid: string): Buffer {
    return this.#key(`history/${name}/${backward(nid)}`);
  }

  historyOf(name: string): KeyRange {
    return this.#under(`history/${name}/`);
  }

  nid(nid: string): Buffer {
    return this.#key(`nid/${sortable(nid)}`);
  }

  nids(): KeyRange {
    return this.#under('nid/');
  }

  variant(name: string): Buffer {
    return this.#key(`variant/${name}`);
  }

  variants(): KeyRange {
    return this.#under('variant/');
  }

  variantsOf(name: string): KeyRange {
    return this.#under(`variant/${name}/`);
  }

  record(kind: RecordKind, key: string): Buffer {
    return this.#key(`record/${kind}/${key}`);
  }

  records(kind: RecordKind): KeyRange {
    return this.#under(`record/${kind}/`);
  }

  removals(kind: RecordKind, key: string): Buffer {
    return this.#key(`removals/${hash('md5', `${kind} ${key}`).slice(0, REMOVAL_DIGITS)}`);
  }

  blob(blob: string, piece: number): Buffer {
    return this.#key(`blob/${blob}/${String(piece).padStart(4, '0')}`);
  }

  blobOf(blob: string): KeyRange {
    return this.#under(`blob/${blob}/`);
  }

  #key(text: string): Buffer {
    return Buffer.from(this.prefix + text);
  }

  #under(text: string): KeyRange {
    const key = this.#key(text);
    return { key, range_end: endOf(key) };
  }
}

/** So few shards meet by chance that a removal hardly ever comes between a write of other records. */
const REMOVAL_DIGITS = 3;

export interface KeyRange {
  readonly key: Buffer;
  readonly range_end: Buffer;
}

/** The first key that does not begin like this one; all of ours end in `/`. */
function endOf(key: Buffer): Buffer {
  const end = Buffer.from(key);
  end[end.length - 1]! += 1;
  return end;
}

/** From behind a key on. */
export function rangeAfter(range: KeyRange, after: Uint8Array): KeyRange {
  return { key: Buffer.concat([after, Buffer.of(0)]), range_end: range.range_end };
}

/** What follows the start that all keys of a range have. */
export function restOf(range: KeyRange, key: Buffer): string {
  return key.toString('utf8', range.key.length);
}

export function nameOf({ namespaceId, group, dataId }: ConfigKey): string {
  return [namespaceId, group, dataId].map(escaped).join('/');
}

export function readName(name: string): ConfigKey {
  const [namespaceId, group, dataId] = name.split('/').map(unescaped) as [string, string, string];
  return { dataId, group, namespaceId };
}

export function variantNameOf(key: ConfigKey, variant: VariantId): string {
  return `${nameOf(key)}/${escaped(variantText(variant))}`;
}

/** Undefined for what is no such name. */
export function readVariantName(name: string): (ConfigKey & { readonly variant: VariantId }) | undefined {
  const parts = name.split('/');
  if (parts.length !== 4) return undefined;
  return { ...readName(name), variant: readVariantText(unescaped(parts[3]!)) };
}

function escaped(text: string): string {
  return text.replace(/[%/]/g, (sign) => (sign === '%' ? '%25' : '%2F'));
}

function unescaped(text: string): string {
  return text.replace(/%2[5F]/g, (sign) => (sign === '%25' ? '%' : '/'));
}

const DIGITS = 16;
const ALL_NINES = 10n ** BigInt(DIGITS) - 1n;

/** Texts in the order of the numbers; ids of ours are safe integers. */
function sortable(id: string): string {
  return id.padStart(DIGITS, '0');
}

function backward(nid: string): string {
  return sortable(String(ALL_NINES - BigInt(nid)));
}

/** Of a key that ends in a number written by `sortable` or `backward`. */
export function readSortable(key: Buffer): string {
  return String(BigInt(key.toString('utf8', key.length - DIGITS)));
}

export function readBackward(key: Buffer): string {
  return String(ALL_NINES - BigInt(key.toString('utf8', key.length - DIGITS)));
}
