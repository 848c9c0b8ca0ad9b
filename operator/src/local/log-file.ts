import { type AppendFile, DiskError, type Host } from '@nacos-kube/core/host/host.ts';

export const LOG_BYTES_MAX = 8 * 1024 * 1024;
/** Lines that wait for a slow disk; beyond it they are counted instead. */
export const LOG_LINES_WAITING_MAX = 10_000;

/** The output of a process in a file that never gets large: a full one becomes `.1`, in the place of the one before. */
export class LogFile {
  readonly #host: Host;
  readonly #path: string;
  #waiting: string[] = [];
  #dropped = 0;
  #file: AppendFile | undefined;
  #bytes = 0;
  #writing: Promise<void> | undefined;

  constructor(host: Host, path: string) {
    this.#host = host;
    this.#path = path;
  }

  add(line: string): void {
    if (this.#waiting.length >= LOG_LINES_WAITING_MAX) this.#dropped++;
    else this.#waiting.push(line);
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#file?.close();
    this.#file = undefined;
  }

  /** A disk that fails costs the lines, never the process whose output they are. */
  async #write(): Promise<void> {
    await Promise.resolve(); // what comes in one turn is written at once
    while (this.#waiting.length > 0) {
      const lines = this.#waiting.splice(0);
      if (this.#dropped > 0) lines.push(`(${this.#dropped} lines were dropped)`);
      this.#dropped = 0;
      try {
        await this.#append(`${lines.join('\n')}\n`);
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        this.#dropped += lines.length;
        this.#host.log.debug('a log cannot be written', { path: this.#path, error });
      }
    }
  }

  async #append(text: string): Promise<void> {
    const { disk } = this.#host;
    if (this.#file === undefined) {
      this.#bytes = (await disk.stat(this.#path))?.bytes ?? 0;
      this.#file = await disk.append(this.#path);
    }
    await this.#file.write(text);
    this.#bytes += Buffer.byteLength(text);
    if (this.#bytes < LOG_BYTES_MAX) return;
    await this.#file.close();
    this.#file = undefined;
    await disk.rename(this.#path, `${this.#path}.1`);
  }
}
