interface Asked<Key, Answer> {
  readonly key: Key;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/** Answers the first of the keys, at least one, in their order; an error is for whoever asked for that key alone. */
export type AskSome<Key, Answer> = (keys: readonly Key[]) => Promise<readonly (Answer | Error)[]>;

/**
 * What is asked for in one turn of the loop, as by a node that follows what others publish, is asked as one question: a
 * row costs little, a way to the engine and back much. Who answers decides how much it brings at once, and is asked for
 * the rest again.
 */
export class AskedTogether<Key, Answer> {
  readonly #keysMax: number;
  readonly #ask: AskSome<Key, Answer>;
  #asked: Asked<Key, Answer>[] = [];

  /** `keysMax`: of one question. */
  constructor(keysMax: number, ask: AskSome<Key, Answer>) {
    this.#keysMax = keysMax;
    this.#ask = ask;
  }

  get(key: Key): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ key, resolve, reject });
      if (this.#asked.length === 1) queueMicrotask(() => this.#askAll());
    });
  }

  #askAll(): void {
    const asked = this.#asked;
    this.#asked = [];
    for (let start = 0; start < asked.length; start += this.#keysMax) {
      const some = asked.slice(start, start + this.#keysMax);
      this.#askFor(some).catch((error: unknown) => {
        // Those that were answered already do not hear of it.
        for (const { reject } of some) reject(error);
      });
    }
  }

  async #askFor(asked: readonly Asked<Key, Answer>[]): Promise<void> {
    for (let left = asked; left.length > 0; ) {
      const answers = await this.#ask(left.map(({ key }) => key));
      if (answers.length === 0) throw new Error(`none of ${left.length} keys was answered`);
      for (const [i, answer] of answers.entries()) {
        if (answer instanceof Error) left[i]!.reject(answer);
        else left[i]!.resolve(answer);
      }
      left = left.slice(answers.length);
    }
  }
}
