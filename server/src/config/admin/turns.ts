import { configError } from '@nacos-kube/core/wire/config-errors.ts';

/** Lets few at a time do what takes much memory; the others are told to come again. */
export class Turns {
  readonly #what: string;
  readonly #atOnceMax: number;
  #underWay = 0;

  constructor(what: string, atOnceMax: number) {
    this.#what = what;
    this.#atOnceMax = atOnceMax;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#underWay >= this.#atOnceMax) {
      throw configError(503, `too many ${this.#what} at once, over ${this.#atOnceMax}: try again`);
    }
    this.#underWay += 1;
    try {
      return await work();
    } finally {
      this.#underWay -= 1;
    }
  }
}
