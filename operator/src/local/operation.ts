import { ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';

const LINES_MAX = 1_000;
const CONFLICT = 409;

export type Outcome = 'running' | 'done' | 'failed';

/** How far an operation is, as whoever asked for it is told. */
export interface Progress {
  /** From the line that was asked for on. */
  readonly lines: readonly string[];
  readonly next: number;
  readonly outcome: Outcome;
}

/** Something that takes a while, such as a restart: it goes on whether anybody follows it or not. */
export class Operation {
  readonly id: number;
  readonly name: string;
  readonly #lines: string[] = [];
  outcome: Outcome = 'running';

  constructor(id: number, name: string) {
    this.id = id;
    this.name = name;
  }

  tell(line: string): void {
    if (this.#lines.length < LINES_MAX) this.#lines.push(line);
  }

  progress(from: number): Progress {
    return { lines: this.#lines.slice(from), next: this.#lines.length, outcome: this.outcome };
  }
}

/** One at a time: two that move members at once could take the last ones that serve. */
export class Operations {
  #latest: Operation | undefined;
  #ids = 0;

  get running(): Operation | undefined {
    return this.#latest?.outcome === 'running' ? this.#latest : undefined;
  }

  /** Throws `ProtocolError` 409 while another one runs. */
  begin(name: string): Operation {
    const { running } = this;
    if (running !== undefined) throw new ProtocolError(CONFLICT, `${running.name} is under way: wait until it is over`);
    this.#ids++;
    this.#latest = new Operation(this.#ids, name);
    return this.#latest;
  }

  /** Throws `ProtocolError` 404 when it is not the latest. */
  find(id: number): Operation {
    if (this.#latest?.id !== id) throw new ProtocolError(404, `there is no operation ${id}`);
    return this.#latest;
  }
}
