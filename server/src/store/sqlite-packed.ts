/**
 * Publishes on their way to the writer's thread, and what became of them: many move at once, and objects move slowly
 * (three times the cost of their columns, most of it in the thread that writes).
 */
import type { ConfigType } from '@nacos-kube/core/model/config.ts';
import type { WriteCommand, WriteOutcome } from './sqlite-messages.ts';

type Column = string | number | null | undefined | readonly string[];

/** Of a publish its columns, the first of which is a number; of any other command the command. */
export type PackedWrites = readonly (Column | WriteCommand)[];

export interface PackedResults {
  /** None when the transaction was told with another group, which shared it. */
  readonly transactions: 0 | 1;
  /** Of one change its revision and the md5 of a config, or the empty text. */
  readonly results: readonly (number | string | WriteOutcome)[];
}

export function packWrites(commands: readonly WriteCommand[]): PackedWrites {
  const packed: (Column | WriteCommand)[] = [];
  for (const command of commands) {
    if (command.op !== 'put-config') {
      packed.push(command);
      continue;
    }
    const { write, nowMs } = command;
    packed.push(nowMs, write.dataId, write.group, write.namespaceId, write.content, write.type);
    packed.push(write.by.ip, write.by.user, write.expectedMd5, write.appName, write.description, write.use);
    packed.push(write.effect, write.schema, write.tags);
  }
  return packed;
}

export function unpackWrites(packed: PackedWrites): WriteCommand[] {
  const commands: WriteCommand[] = [];
  let at = 0;
  const next = <T>(): T => packed[at++] as T;
  while (at < packed.length) {
    const first = next<number | WriteCommand>();
    if (typeof first !== 'number') {
      commands.push(first);
      continue;
    }
    const [dataId, group, namespaceId] = [next<string>(), next<string>(), next<string>()];
    const [content, type] = [next<string>(), next<ConfigType>()];
    const by = { ip: next<string>(), user: next<string | null>() };
    const expectedMd5 = next<string | undefined>();
    const [appName, description] = [next<string | undefined>(), next<string | null>()];
    const [use, effect, schema] = [next<string | null>(), next<string | null>(), next<string | null>()];
    const facts = { appName, description, use, effect, schema, tags: next<readonly string[] | undefined>(), by };
    const write = { dataId, group, namespaceId, content, type, ...facts };
    commands.push({
      op: 'put-config',
      write: expectedMd5 === undefined ? write : { ...write, expectedMd5 },
      nowMs: first,
    });
  }
  return commands;
}

export function packResults(results: readonly WriteOutcome[]): PackedResults['results'] {
  const packed: (number | string | WriteOutcome)[] = [];
  for (const result of results) {
    if (result.outcome === 'written' && result.changes === 1) packed.push(result.revision, result.md5 ?? '');
    else packed.push(result);
  }
  return packed;
}

export function unpackResults(packed: PackedResults['results']): WriteOutcome[] {
  const results: WriteOutcome[] = [];
  for (let at = 0; at < packed.length; at++) {
    const first = packed[at] as number | WriteOutcome;
    if (typeof first !== 'number') {
      results.push(first);
      continue;
    }
    const md5 = packed[++at] as string;
    const written = { outcome: 'written', revision: first, changes: 1 } as const;
    results.push(md5 === '' ? written : { ...written, md5 });
  }
  return results;
}
