import { DiskError, type Host, type Timer } from '@nacos-kube/core/host/host.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';

const READ_PERIOD_MS = 1_000;
export const TOKEN_CHARS_MIN = 32;

/** The token that the sidecar wrote, read again and again: it may be written after this node started. */
export class SidecarToken implements Part {
  readonly name = 'sidecar token';
  readonly #host: Host;
  readonly #path: string | undefined;
  #timer: Timer | undefined;
  #value: string | undefined;

  constructor(host: Host, path: string | undefined) {
    this.#host = host;
    this.#path = path;
  }

  get value(): string | undefined {
    return this.#value;
  }

  async start(): Promise<void> {
    const path = this.#path;
    if (path === undefined) return;
    await this.#read(path);
    this.#timer = this.#host.clock.every(READ_PERIOD_MS, () =>
      this.#host.background('sidecar token', this.#read(path)),
    );
  }

  stop(): void {
    this.#timer?.cancel();
  }

  async #read(path: string): Promise<void> {
    try {
      const token = new TextDecoder().decode(await this.#host.disk.read(path)).trim();
      this.#value = token.length >= TOKEN_CHARS_MIN ? token : undefined;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#value = undefined;
    }
  }
}
