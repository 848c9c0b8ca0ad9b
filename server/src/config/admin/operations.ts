import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import { jsonBytes, text } from '@nacos-kube/core/http/answers.ts';
import { OPEN, type Route } from '@nacos-kube/core/http/route.ts';
import { present } from '@nacos-kube/core/wire/config-admin.ts';
import type { AdminPorts } from './ports.ts';

/** Anybody may send hints, and each has the store asked: so one in this time is passed on. */
export const HINT_PAUSE_MS = 200;
/** Each reads every row of the store. */
export const READ_ALL_PAUSE_MS = 30_000;

export function operationRoutes(ports: AdminPorts): Route[] {
  const hints = new Spaced(ports.host, HINT_PAUSE_MS, ports.hinted);
  const reads = new Spaced(ports.host, READ_ALL_PAUSE_MS, ports.readAllAgain);
  return [
    {
      method: 'GET',
      path: '/v1/cs/health',
      policy: OPEN,
      handler() {
        const trouble = ports.storeTrouble();
        return text(trouble === undefined ? 'UP' : `DOWN:master db (${trouble}) down. `);
      },
    },
    {
      // What Java members tell each other of a change. It says nothing that the store does not say better.
      method: 'GET',
      path: '/v1/cs/communication/dataChange',
      policy: { kind: 'read', area: 'config' },
      handler({ form }) {
        present(form, 'dataId');
        present(form, 'group');
        hints.call();
        return jsonBytes('true');
      },
    },
    {
      method: 'POST',
      path: '/v1/cs/ops/localCache',
      policy: { kind: 'write', area: 'operations' },
      handler() {
        reads.call();
        return jsonBytes('200');
      },
    },
  ];
}

/** The first call goes at once, those that follow within the pause are one at its end. */
class Spaced {
  readonly #host: Host;
  readonly #pauseMs: number;
  readonly #run: () => void;
  #pause: Timer | undefined;
  #isDue = false;

  constructor(host: Host, pauseMs: number, run: () => void) {
    this.#host = host;
    this.#pauseMs = pauseMs;
    this.#run = run;
  }

  call(): void {
    if (this.#pause !== undefined) {
      this.#isDue = true;
      return;
    }
    this.#isDue = false;
    this.#run();
    this.#pause = this.#host.clock.after(this.#pauseMs, () => {
      this.#pause = undefined;
      if (this.#isDue) this.call();
    });
  }
}
