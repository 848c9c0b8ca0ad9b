import type { Log } from '@nacos-kube/core/host/host.ts';
import type { ConfigKey } from '@nacos-kube/core/model/config.ts';
import { groupKey } from '@nacos-kube/core/wire/config-key.ts';
import {
  AGGREGATES_DATA_ID,
  fitsPattern,
  parseAggregates,
  parseSwitches,
  SWITCH_DATA_ID,
} from '@nacos-kube/core/wire/config-meta.ts';
import { LISTENER_SWITCHES, type ListenerSwitches } from '@nacos-kube/core/wire/listener.ts';
import type { ConfigCache } from './cache.ts';
import type { CachedConfig } from './view.ts';

const OBEYED = { group: 'DEFAULT_GROUP', namespaceId: '' };
const SWITCHES = groupKey({ ...OBEYED, dataId: SWITCH_DATA_ID });
const AGGREGATES = groupKey({ ...OBEYED, dataId: AGGREGATES_DATA_ID });

/** What two configurations tell the server itself, always as the cache has them. */
export class MetaConfigs {
  readonly #log: Log;
  readonly #cache: ConfigCache;
  #switches: ListenerSwitches = LISTENER_SWITCHES;
  #aggregates: readonly string[] = [];

  constructor(log: Log, cache: ConfigCache) {
    this.#log = log;
    this.#cache = cache;
    cache.changes.subscribe(({ groupKey: key, before, after }) => {
      if (before?.md5 === after?.md5) return;
      if (key === SWITCHES) this.#switches = parseSwitches(this.#text(after));
      else if (key === AGGREGATES) this.#aggregates = parseAggregates(this.#text(after));
    });
  }

  get switches(): ListenerSwitches {
    return this.#switches;
  }

  /** An aggregate is merged from parts, which nothing publishes as a whole. */
  isAggregate({ dataId }: ConfigKey): boolean {
    return this.#aggregates.some((pattern) => fitsPattern(dataId, pattern));
  }

  /** In the turn of the change the content is in memory, unless it is larger than all that memory may have. */
  #text(config: CachedConfig | undefined): string {
    if (config === undefined) return '';
    const content = this.#cache.content(config);
    if (content === undefined)
      this.#log.warn('a config for the server is too large to obey', { config: config.groupKey });
    return new TextDecoder().decode(content);
  }
}
