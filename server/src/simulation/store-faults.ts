import type { Host } from '@nacos-kube/core/host/host.ts';
import { OPERATION_DEADLINE_MS } from '../store/bounds.ts';
import { type Store, StoreError } from '../store/store.ts';

export interface StoreFault {
  /** No call gets there. */
  readonly kind: 'down' | 'slow' | 'loses answers' | 'read-only';
  /** Of one node's way to the store; else of the store itself. */
  readonly node?: string | undefined;
  /** Of a slow one: over the deadline its callers give up, and what they asked for is carried out all the same. */
  readonly delayMs?: number;
}

/** Calls that ask nothing of the engine. */
const LOCAL: ReadonlySet<string | symbol> = new Set(['stop', 'onHint']);
const WRITES = /^(put|remove)/;

/** What the engine, or the way of one node there, does wrong at the moment. */
export class StoreFaults {
  readonly #active = new Set<StoreFault>();

  /** Until the returned function is called. */
  begin(fault: StoreFault): () => void {
    this.#active.add(fault);
    return () => this.#active.delete(fault);
  }

  get isAny(): boolean {
    return this.#active.size > 0;
  }

  /** The store as this node reaches it. */
  on(host: Host, node: string, store: Store): Store {
    return new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        if (LOCAL.has(name)) return value.bind(target);
        const isWrite = WRITES.test(String(name));
        return (...args: unknown[]) => this.#call(host, node, isWrite, () => value.apply(target, args));
      },
    });
  }

  async #call(host: Host, node: string, isWrite: boolean, run: () => Promise<unknown>): Promise<unknown> {
    const here = [...this.#active].filter((fault) => fault.node === undefined || fault.node === node);
    if (here.length === 0) return run();
    const delayMs = Math.max(0, ...here.map((fault) => fault.delayMs ?? 0));
    const isIn = (kind: StoreFault['kind']) => here.some((fault) => fault.kind === kind);
    if (isIn('down')) throw new StoreError('unavailable', 'the simulated store is down');
    if (isIn('read-only') && isWrite) throw new StoreError('read-only', 'the simulated store takes no writes');
    if (delayMs >= OPERATION_DEADLINE_MS) {
      // It hangs in the middle: the engine ends what it has begun, whoever has given up by then.
      host.clock.after(delayMs, () => host.background('a late call', run().catch(ignored)));
      await host.clock.sleep(OPERATION_DEADLINE_MS);
      throw new StoreError('unavailable', `the simulated store did not answer in ${OPERATION_DEADLINE_MS} ms`);
    }
    if (delayMs > 0) await host.clock.sleep(delayMs);
    const result = await run();
    if (isIn('loses answers') && isWrite) {
      throw new StoreError('unavailable', 'the simulated store did not answer; the write may have been stored');
    }
    return result;
  }
}

/** Nobody waits for it any more. */
function ignored(error: unknown): void {
  if (!(error instanceof StoreError)) throw error;
}
