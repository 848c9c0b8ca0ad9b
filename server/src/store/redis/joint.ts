/** A question whose answer is for all that came before it was asked: one at a time, however many wait. */
export class Joint<T> {
  readonly #ask: () => Promise<T>;
  #next: PromiseWithResolvers<T> | undefined;
  #isRunning = false;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
  }

  next(): Promise<T> {
    this.#next ??= Promise.withResolvers<T>();
    const { promise } = this.#next;
    if (!this.#isRunning) void this.#run();
    return promise;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#next !== undefined) {
      const { resolve, reject } = this.#next;
      this.#next = undefined;
      try {
        resolve(await this.#ask());
      } catch (error) {
        reject(error);
      }
    }
    this.#isRunning = false;
  }
}

/** One such question for each of several that can be asked. */
export class Joints<K extends object, T> {
  readonly #ask: (key: K) => Promise<T>;
  readonly #byKey = new WeakMap<K, Joint<T>>();

  constructor(ask: (key: K) => Promise<T>) {
    this.#ask = ask;
  }

  next(key: K): Promise<T> {
    let joint = this.#byKey.get(key);
    if (joint === undefined) {
      joint = new Joint(() => this.#ask(key));
      this.#byKey.set(key, joint);
    }
    return joint.next();
  }
}
