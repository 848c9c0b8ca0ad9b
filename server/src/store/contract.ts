import { after, before, describe } from 'node:test';
import { configsContract } from './contract-configs.ts';
import { faultsContract } from './contract-faults.ts';
import { feedContract } from './contract-feed.ts';
import { historyContract } from './contract-history.ts';
import { movedContract } from './contract-moved.ts';
import { recordsContract } from './contract-records.ts';
import { searchContract } from './contract-search.ts';
import type { ContractEngine, ContractOptions } from './contract-tools.ts';
import { variantsContract } from './contract-variants.ts';
import type { Store } from './store.ts';

/** What every adapter promises; each test takes names of its own, so that they share one set of data. */
export function storeContract(name: string, setUp: () => Promise<ContractEngine>, options: ContractOptions): void {
  describe(`the store contract on ${name}`, { skip: options.skip ?? false }, () => {
    let engine: ContractEngine;
    let store: Store;
    before(async () => {
      engine = await setUp();
      store = await engine.open();
    });
    after(async () => engine?.tearDown());

    const subject = () => ({ engine, store });
    configsContract(subject);
    variantsContract(subject);
    historyContract(subject);
    searchContract(subject);
    recordsContract(subject);
    movedContract(subject);
    feedContract(subject);
    faultsContract(subject, options);
  });
}
