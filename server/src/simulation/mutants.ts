import type { NacosServer } from '../server.ts';

/** Ways in which the reference, or an earlier self, failed: switched on to see that the checker notices. */
export const MUTANTS = ['no grant', 'judges for all', 'ready at once', 'no digests', 'no journal'] as const;
export type Mutant = (typeof MUTANTS)[number];

/** Breaks a node before it starts. */
export function breakNode({ naming, distro }: NacosServer, mutant: Mutant): void {
  const { registry } = naming;
  switch (mutant) {
    case 'no grant':
      // F3: a new owner judges what it inherits by times that nobody kept.
      registry.grant = () => 0;
      return;
    case 'judges for all': {
      // Every node takes silence for death, and every verdict of another one for true.
      Object.assign(distro.ownership, { judges: () => true });
      const merge = registry.merge.bind(registry);
      registry.merge = (datum, _roles, nowMs) => merge(datum, { iAmOwner: false, senderIsOwner: true }, nowMs);
      return;
    }
    case 'ready at once':
      // F5: clients are let in before the peers have told what they know.
      distro.notReadyReason = () => undefined;
      return;
    case 'no digests':
      distro.verify.round = () => {};
      return;
    case 'no journal':
      distro.journal.read = async () => [];
      return;
  }
}
