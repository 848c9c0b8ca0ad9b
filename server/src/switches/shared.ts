import type { Host } from '@nacos-kube/core/host/host.ts';
import { DEFAULT_SWITCHES, type SwitchValues } from '@nacos-kube/core/model/switches.ts';
import { changeSwitch } from '@nacos-kube/core/wire/switch-entries.ts';
import { decodeSwitches, encodeSwitches } from '@nacos-kube/core/wire/switches.ts';
import type { FeedReader } from '../store/feed-delivery.ts';
import { FollowedRecords } from '../store/followed-records.ts';
import type { RecordRows } from '../store/record-rows.ts';
import type { Store, StoredRecord } from '../store/store.ts';
import type { SwitchBoard } from './switches.ts';

/** The one record of them. */
const KEY = 'switches';

/** Keeps the board of this member as the store has the switches, and writes what operators change for all. */
export class SharedSwitches {
  readonly #host: Host;
  readonly #board: SwitchBoard;
  readonly #record: FollowedRecords<SwitchValues>;

  constructor(host: Host, store: Store, board: SwitchBoard) {
    this.#host = host;
    this.#board = board;
    this.#record = new FollowedRecords(host, store, { name: 'switches', kind: 'switch', decode });
    // A full read tells only of what differs, so what was switched here alone lasts until somebody switches for all.
    this.#record.changes.subscribe(({ key, after }) => {
      if (key === KEY) board.set(after ?? DEFAULT_SWITCHES);
    });
  }

  get records(): RecordRows {
    return this.#record.records;
  }

  get feedReader(): FeedReader {
    return this.#record.feedReader;
  }

  /** For all members; resolves once it is stored and in force here. False for an entry that there is not. */
  async change(entry: string, value: string): Promise<boolean> {
    const isKnown = await this.#record.write(KEY, (now) => {
      const changed = changeSwitch(now ?? DEFAULT_SWITCHES, entry, value);
      return changed && { kind: 'switch', key: KEY, value: encodeSwitches(changed) };
    });
    if (isKnown) this.#host.log.info('switched for all members', { entry, value });
    return isKnown;
  }

  /** For this member alone, until it restarts or somebody switches for all. */
  changeHere(entry: string, value: string): boolean {
    const changed = changeSwitch(this.#board.current, entry, value);
    if (changed === undefined) return false;
    this.#board.set(changed);
    this.#host.log.info('switched for this member alone', { entry, value });
    return true;
  }
}

function decode({ value }: StoredRecord): SwitchValues | undefined {
  try {
    return decodeSwitches(value);
  } catch {
    return undefined;
  }
}
