import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { UnsyncedFate } from '@nacos-kube/core/sim/disk-state.ts';
import { World } from '@nacos-kube/core/sim/world.ts';
import fc from 'fast-check';
import { ConfigCache } from './cache.ts';
import { Dump } from './dump.ts';
import { loadDump } from './dump-check.ts';
import { DIRECTORY, startNode, type Texts, WRITTEN_OUT_MS } from './dump-for-tests.ts';
import { SETTLE_MS } from './dump-unsettled.ts';

const KEYS = ['a', 'b', 'c', 'd'] as const;
const RUNS = Number(process.env.DUMP_RUNS ?? 400);

type Key = (typeof KEYS)[number];
type Fate = UnsyncedFate | 'killed';
/** What the store has of a key from then on; undefined: nothing. */
type Change = readonly [key: Key, text: string | undefined];
type Step =
  | { readonly do: 'change'; readonly change: Change }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'check'; readonly isAwaited: boolean }
  | { readonly do: 'fill'; readonly isFull: boolean }
  /** The process ends, the store is changed meanwhile, and the next one starts. */
  | { readonly do: 'end'; readonly fate: Fate; readonly meanwhile: readonly Change[]; readonly isChecked: boolean };

const key = fc.constantFrom(...KEYS);
const change: fc.Arbitrary<Change> = fc.tuple(key, fc.constantFrom('t0', 't1', 't2', undefined));
const fate = fc.constantFrom<Fate>('killed', 'lost', 'torn', 'kept', 'zeroed', 'reordered', 'reordered');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 9, arbitrary: fc.record({ do: fc.constant('change'), change }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.constantFrom(1, 5, 20, 110, 300, 46_000) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('check'), isAwaited: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fill'), isFull: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ do: fc.constant('end'), fate, isChecked: fc.boolean() },
      meanwhile: fc.array(change, { maxLength: 2 }),
    }),
  },
) as fc.Arbitrary<Step>;

test('power loss leaves nothing older than the generation that counts, nothing torn, and all that was settled', async () => {
  const property = fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), fc.array(step, { maxLength: 40 }), run);
  await fc.assert(property, { seed: Number(process.env.DUMP_SEED ?? 7), numRuns: RUNS });
});

async function run(seed: number, steps: readonly Step[]): Promise<void> {
  const scene = new Scene(seed);
  for (const one of steps) await scene.perform(one);
  await scene.perform({ do: 'end', fate: 'reordered', meanwhile: [], isChecked: true });
  // What is settled is all there is, whatever happens to the rest.
  await scene.world.advance(SETTLE_MS + WRITTEN_OUT_MS);
  scene.world.crash('n', 'reordered');
  assert.deepEqual(await scene.boot(), scene.current());
}

class Scene {
  readonly world: World;
  /** Of each key what the store had, from which moment on. */
  readonly #history = new Map<Key, (readonly [moment: number, text: string | undefined])[]>();
  #moment = 0;
  /** When the full dump began that made a generation. */
  readonly #swaps = new Map<number, number>();
  #begun = 0;
  #node: ReturnType<typeof startNode>;
  #checking: Promise<void> | undefined;

  constructor(seed: number) {
    this.world = new World({ seed, traceLinesMax: 0 });
    for (const one of KEYS) this.#history.set(one, [[0, undefined]]);
    this.#node = this.#start();
  }

  async perform(one: Step): Promise<void> {
    switch (one.do) {
      case 'change':
        if (!this.#change(one.change)) return;
        if (one.change[1] === undefined) this.#node.remove(one.change[0]);
        else this.#node.put(one.change[0], one.change[1]);
        return;
      case 'wait':
        return this.world.advance(one.ms);
      case 'check':
        return this.#check(one.isAwaited);
      case 'fill':
        return this.world.disk('n', { full: one.isFull });
      case 'end':
        if (one.fate === 'killed') this.world.kill('n');
        else this.world.crash('n', one.fate);
        this.#checking = undefined;
        this.world.disk('n', { full: false });
        this.#compare(await this.boot(), one.fate);
        for (const meanwhile of one.meanwhile) this.#change(meanwhile);
        this.#node = this.#start();
        if (one.isChecked) await this.#check(true);
    }
  }

  current(): Texts {
    const texts = KEYS.map((one) => [one, this.#history.get(one)!.at(-1)![1]] as const);
    return Object.fromEntries(texts.filter(([, text]) => text !== undefined)) as Texts;
  }

  /** What a start without the store would serve. */
  async boot(): Promise<Texts> {
    const host = this.world.restart('n');
    const cache = new ConfigCache();
    const dump = new Dump(host, DIRECTORY, cache, async () => undefined);
    await this.world.finish(loadDump(dump, cache, () => false));
    this.#generation = await this.world.finish(dump.generation());
    const texts = [...cache.keys()].map((id) => {
      const config = cache.get(id)!;
      return [config.key.dataId, new TextDecoder().decode(cache.content(config)!)] as const;
    });
    return Object.fromEntries(texts.sort());
  }
  #generation = 0;

  #compare(texts: Texts, how: Fate): void {
    const swapped: number = this.#generation === 0 ? 0 : (this.#swaps.get(this.#generation) ?? Infinity);
    assert.ok(swapped < Infinity, `generation ${this.#generation} was never made`);
    for (const [one, all] of this.#history) {
      const since = all.filter(([moment], i) => moment > swapped || (all[i + 1]?.[0] ?? Infinity) > swapped);
      const allowed = since.map(([, text]) => text);
      const facts = `${how}: ${one} is ${texts[one]}, since generation ${this.#generation} it was ${allowed}`;
      assert.ok(allowed.includes(texts[one]), facts);
    }
  }

  #change([one, text]: Change): boolean {
    const all = this.#history.get(one)!;
    if (all.at(-1)![1] === text) return false;
    this.#moment += 1;
    all.push([this.#moment, text]);
    return true;
  }

  async #check(isAwaited: boolean): Promise<void> {
    // As the service does it, one after the other.
    while (this.#checking !== undefined) await this.world.finish(this.#checking);
    this.#begun = this.#moment;
    const checking = this.#node.check().finally(() => {
      if (this.#checking === checking) this.#checking = undefined;
    });
    this.#checking = checking;
    if (isAwaited) await this.world.finish(checking);
  }

  #start(): ReturnType<typeof startNode> {
    const node = startNode(this.world, this.current());
    const swap = node.dump.swap.bind(node.dump);
    Object.assign(node.dump, {
      swap: async (facts: Parameters<Dump['swap']>[0]) => {
        const generation = (await node.dump.generation()) + 1;
        await swap(() => {
          this.#swaps.set(generation, this.#begun);
          return facts();
        });
      },
    });
    return node;
  }
}

const end = (how: Fate, isChecked = true, ...meanwhile: Change[]): Step => ({
  ...{ do: 'end', fate: how, isChecked, meanwhile },
});
const set = (...of: Change): Step => ({ do: 'change', change: of });
const wait = (ms: number): Step => ({ do: 'wait', ms });
const CHECK: Step = { do: 'check', isAwaited: true };
const BEGIN: Step = { do: 'check', isAwaited: false };

const SCENES: Readonly<Record<string, (ms: number) => readonly Step[]>> = {
  'what a process that was killed had published is in the generation of the next one': () => [
    ...[CHECK, set('a', 't0'), wait(300), end('killed')],
  ],
  'what a process that was killed had removed does not come back in the generation of the next one': () => [
    ...[set('a', 't0'), CHECK, wait(46_000), set('a', undefined), wait(300), end('killed')],
  ],
  'what was removed after a newer text took its place does not come back with the older': () => [
    ...[set('a', 't0'), CHECK, wait(46_000), set('a', 't1'), wait(300), CHECK, set('a', undefined), wait(300)],
  ],
  'what was published while a generation was settled is in the one of the next process': (ms) => [
    ...[set('a', 't0'), CHECK, wait(46_000), set('a', 't1'), wait(300), BEGIN, wait(ms), set('b', 't0')],
    ...[wait(300), end('killed')],
  ],
  'what was found gone twice does not come back': () => [
    ...[set('a', 't0'), CHECK, wait(46_000), end('killed', true, ['a', undefined]), wait(20), CHECK],
  ],
};

for (const [name, stepsAt] of Object.entries(SCENES)) {
  test(`${name}, also when the power goes`, async () => {
    const hows: readonly Fate[] = ['lost', 'torn', 'kept', 'zeroed'];
    for (let seed = 1; seed <= 24; seed += 1) {
      const scene = new Scene(seed);
      for (const one of [...stepsAt(seed / 2), end(hows[seed % 8] ?? 'reordered')]) await scene.perform(one);
    }
  });
}
