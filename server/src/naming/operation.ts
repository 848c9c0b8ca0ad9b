import type { Instance, InstanceKey, Metadata } from '@nacos-kube/core/model/instance.ts';
import type { ServiceId } from '@nacos-kube/core/model/names.ts';

/** What is to be changed of an instance; what is not named stays. */
export interface InstanceChanges
  extends Partial<Pick<Instance, 'metadata' | 'app' | 'weight' | 'healthy' | 'enabled'>> {
  /** Put into the metadata, beside what is there. */
  readonly added?: Metadata;
  /** Names that the metadata loses. */
  readonly dropped?: readonly string[];
}

/** What a client wants of an ephemeral instance; a plain value, so that any member can hand it to the owner. */
export type Operation =
  | { readonly kind: 'register'; readonly service: ServiceId; readonly instance: Instance }
  | { readonly kind: 'deregister'; readonly service: ServiceId; readonly key: InstanceKey }
  /** `isSignOfLife`: its time-outs count anew. */
  | {
      readonly kind: 'change';
      readonly service: ServiceId;
      readonly key: InstanceKey;
      readonly changes: InstanceChanges;
      readonly isSignOfLife: boolean;
    }
  /** An operator's word on a persistent instance that nothing probes. */
  | { readonly kind: 'judge'; readonly service: ServiceId; readonly key: InstanceKey; readonly healthy: boolean }
  /** All instances of the service go. */
  | { readonly kind: 'clear'; readonly service: ServiceId }
  /** `full` is what to register when the instance is unknown; a light beat has none. */
  | { readonly kind: 'beat'; readonly service: ServiceId; readonly key: InstanceKey; readonly full?: Instance };

/** `unknown` answers a light beat, or a change, of an instance that is not there. */
export type OperationResult =
  | { readonly outcome: 'done'; readonly beatIntervalMs: number }
  | { readonly outcome: 'unknown' };

/** Who carries an operation out. Naming asks; how members talk is not its business. */
export interface Ownership {
  /** True when this member judges the service, alone or as the owner of it. */
  isOwn(serviceKey: string): boolean;
  /** True when this member may say that instances of the service have fallen silent: it owns it, and is sure of that. */
  judges(serviceKey: string): boolean;
  /** True when another member may be judging the service without hearing what this one hears, and has been for a while. */
  isContested(serviceKey: string): boolean;
  /** Carries it out at the owner. `unreachable`: the owner did not answer in time, so it is to be done here. */
  forward(serviceKey: string, operation: Operation): Promise<OperationResult | 'unreachable'>;
}

export const ALONE: Ownership = {
  isOwn: () => true,
  judges: () => true,
  isContested: () => false,
  forward: async () => 'unreachable',
};
