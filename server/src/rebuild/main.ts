import { createNodeHost } from '@nacos-kube/core/host/node/node-host.ts';
import type { Command } from 'commander';
import { takeDataFolder } from '../store/data-folder.ts';
import { storeCommand } from '../store/move/main.ts';
import { rebuildSqlite } from './rebuild.ts';

const HELP = `
Stop all nodes that use the file first. It is set aside under another name, and a new one is made of what can still be
read of it and of the copies that the node keeps in its data directory. A backup is better, if there is one.
`;

/** `nacos-kube store` with what concerns the data of a node too. */
export function storeCommandWithRebuild(): Command {
  const command = storeCommand();
  command
    .command('rebuild')
    .description("make a damaged sqlite file anew, from what is left of it and the node's copies")
    .requiredOption('--data <DIR>', 'data directory of the node')
    .option('--sqlite-file <FILE>', 'the damaged file (default: store.sqlite below --data)')
    .addHelpText('after', HELP)
    .action(async ({ data, sqliteFile }: { data: string; sqliteFile?: string }) => {
      const host = createNodeHost({ name: 'store', logLevel: 'warn', logFormat: 'text' });
      const path = sqliteFile ?? `${data}/store.sqlite`;
      const rebuilt = await rebuildSqlite({ host, path, data, alone: () => takeDataFolder(host, data) });
      if (rebuilt === undefined) {
        console.log(`${path} is whole: nothing was done`);
        return;
      }
      const { damage, aside, salvaged, copied, lacking } = rebuilt;
      console.log(`${path} was damaged (${damage})${aside === undefined ? '' : `; that file is ${aside} now`}`);
      console.log(`${path} is new: ${salvaged} rows could still be read, ${copied} are from the copies in ${data}`);
      if (lacking.length > 0) console.log(`some may be missing, which no whole copy has: ${lacking.join(', ')}`);
    });
  return command;
}
