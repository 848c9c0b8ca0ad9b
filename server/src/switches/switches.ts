import { Changes } from '@nacos-kube/core/changes.ts';
import { DEFAULT_SWITCHES, type Switches, type SwitchValues } from '@nacos-kube/core/model/switches.ts';

/** The switches as this member has them now. */
export class SwitchBoard implements Switches {
  readonly changes = new Changes<SwitchValues>();
  #current: SwitchValues = DEFAULT_SWITCHES;

  get current(): SwitchValues {
    return this.#current;
  }

  set(values: SwitchValues): void {
    this.#current = values;
    this.changes.publish(values);
  }
}
