import type { Host, Log } from '@nacos-kube/core/host/host.ts';
import type { KubeApi } from './api.ts';
import { microTime } from './lease.ts';
import type { KubeObject } from './objects.ts';
import { EVENTS } from './resource-types.ts';

export interface EventNote {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  /** What is done about it, e.g. `Reconcile`. */
  readonly action: string;
  readonly note: string;
}

interface EventObject extends KubeObject {
  readonly [field: string]: unknown;
}

/** Equal events within this time are told once. */
export const SAME_EVENT_MS = 10 * 60_000;
export const REMEMBERED_EVENTS_MAX = 1_000;
const NOTE_CHARS_MAX = 1_024;

/**
 * Tells what happened as events.k8s.io/v1 Events. Told again within ten minutes, an equal event becomes a series of the
 * first. A failure is logged only: no work waits for, or fails with, an Event.
 */
export class EventRecorder {
  readonly #host: Host;
  readonly #api: KubeApi;
  readonly #log: Log;
  readonly #controller: string;
  readonly #instance: string;
  /** By what makes events equal; the oldest first. */
  readonly #told = new Map<string, { readonly name: string; readonly atMs: number; count: number }>();

  constructor(host: Host, api: KubeApi, controller: string, instance: string) {
    this.#host = host;
    this.#api = api;
    this.#log = host.log.area('events');
    this.#controller = controller;
    this.#instance = instance;
  }

  tell(regarding: KubeObject, event: EventNote): void {
    this.#host.background('event', this.#write(regarding, event));
  }

  async #write(regarding: KubeObject, event: EventNote): Promise<void> {
    const nowMs = this.#host.clock.monotonic();
    const key = JSON.stringify([regarding.metadata.uid, regarding.kind, event.type, event.reason, event.note]);
    const told = this.#told.get(key);
    const kubeNamespace = regarding.metadata.namespace ?? 'default';
    const time = microTime(this.#host.clock.now());
    try {
      if (told && nowMs - told.atMs < SAME_EVENT_MS) {
        told.count += 1;
        const series = { count: told.count, lastObservedTime: time };
        await this.#api.apply(EVENTS, { ...identity(told.name, kubeNamespace), series } as EventObject, {
          fieldManager: this.#controller,
        });
        return;
      }
      const suffix = Buffer.from(this.#host.random.bytes(8)).toString('hex');
      const name = `${regarding.metadata.name.slice(0, 200)}.${suffix}`;
      this.#remember(key, name, nowMs);
      await this.#api.create(EVENTS, {
        ...identity(name, kubeNamespace),
        eventTime: time,
        type: event.type,
        reason: event.reason,
        action: event.action,
        note: event.note.slice(0, NOTE_CHARS_MAX),
        reportingController: this.#controller,
        reportingInstance: this.#instance.slice(0, 128),
        regarding: {
          apiVersion: regarding.apiVersion,
          kind: regarding.kind,
          name: regarding.metadata.name,
          namespace: kubeNamespace,
          uid: regarding.metadata.uid,
        },
      } as EventObject);
    } catch (error) {
      this.#told.delete(key);
      this.#log.warn('an event was not written', { reason: event.reason, error });
    }
  }

  #remember(key: string, name: string, atMs: number): void {
    this.#told.delete(key);
    this.#told.set(key, { name, atMs, count: 1 });
    for (const oldest of this.#told.keys()) {
      if (this.#told.size <= REMEMBERED_EVENTS_MAX) break;
      this.#told.delete(oldest);
    }
  }
}

function identity(name: string, kubeNamespace: string) {
  return { apiVersion: 'events.k8s.io/v1', kind: 'Event', metadata: { name, namespace: kubeNamespace } };
}
