import { dirname } from 'node:path';
import { DiskError, type Host, type Timer } from '@nacos-kube/core/host/host.ts';
import { readList } from './keeper.ts';

/** Offers the content of a file, at once and after each change. */
export class FileListSource {
  readonly #host: Host;
  readonly #file: string;
  readonly #offer: (text: string) => void;
  #watch: Timer | undefined;

  constructor(host: Host, file: string, offer: (text: string) => void) {
    this.#host = host;
    this.#file = file;
    this.#offer = offer;
  }

  start(): void {
    if (this.#watch !== undefined) return;
    this.#watch = this.#host.disk.watch(dirname(this.#file), () => this.#look());
    this.#look();
  }

  stop(): void {
    this.#watch?.cancel();
  }

  #look(): void {
    this.#host.background('reading the member list', this.#read());
  }

  async #read(): Promise<void> {
    try {
      const text = await readList(this.#host, this.#file);
      if (text !== undefined) this.#offer(text);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#host.log.area('member-list').warn('the file cannot be read', { file: this.#file, error });
    }
  }
}
