import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '@nacos-kube/core/sim/prng.ts';
import { EtcdWorld, ORDINALS_MAX } from '../testing/etcd-world.ts';

const SEEDS = Number(process.env['ETCD_SEEDS'] ?? 40);
const TROUBLED_S = 600;
const HEALS_WITHIN_S = 2_500;
const SIZES = [1, 3, 5] as const;

function trouble(world: EtcdWorld, random: Prng): void {
  const ordinal = random.int(ORDINALS_MAX);
  const size = SIZES[random.int(SIZES.length)] ?? 3;
  const seconds = 5 + random.int(200);
  const things = [
    () => world.want(size),
    () => world.want(size),
    () => world.volumeIsLost(ordinal),
    () => world.volumeIsLost(ordinal),
    () => world.machineIsDown(ordinal, seconds),
    () => world.podIsDeleted(ordinal),
    () => world.memberIsRemovedByHand(ordinal),
    () => world.newImage(random.chance(0.3)),
    () => world.operatorIsAway(seconds),
    () => world.isMadeAnew(size),
    () => world.machinesAreScarce(1 + random.int(2), 2 * seconds),
  ];
  things[random.int(things.length)]?.();
}

test('whatever happens to its members, a managed etcd keeps its quorum and becomes what the manifest says', () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new Prng(`etcd ${seed}`);
    const world = new EtcdWorld(random.split('world'), SIZES[random.int(SIZES.length)] ?? 3);
    const told = () => `seed ${seed}:\n${world.log.slice(-40).join('\n')}`;
    try {
      if (random.chance(0.3)) {
        world.machinesAreScarce(1 + random.int(2), 400);
        world.run(5 + random.int(60));
        if (random.chance(0.7)) world.isMadeAnew(SIZES[random.int(SIZES.length)] ?? 3);
      }
      for (let s = 0; s < TROUBLED_S; ) {
        const quietS = 5 + random.int(120);
        world.run(quietS);
        trouble(world, random);
        s += quietS;
      }
      assert.ok(world.becomesWhole(HEALS_WITHIN_S), 'it does not heal');
    } catch (error) {
      throw new Error(`${(error as Error).message}, ${told()}`, { cause: error });
    }
  }
});
