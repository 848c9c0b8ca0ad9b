/**
 * Publishes on their way to the writer's thread, and what became of them: many move at once, and objects move slowly
 * (three times the cost of their columns, most of it in the thread that writes).
 */
import type { ConfigType } from '@nacos-kube/core/model/config.ts';
import type { WriteCommand, WriteOutcome } from './sqlite-messages.ts';

type Column = string | number | null | undefined | readonly string[];

/** Of a publish its columns, the first of which is a number; of any other command the command. */
export type PackedWrites = readonly (Column | WriteCommand)[];

/** Of one change its revision alone. */
export type PackedResults = readonly (number | WriteOutcome)[];

export function packWrites(commands: readonly WriteCommand[]): PackedWrites {
  const packed: (Column | WriteCommand)[] = [];
  for (const command of commands) {
    if (command.op !== 'put-config') {
      packed.push(command);
      continue;
    }
    const { write, nowMs } = command;
    packed.push(nowMs, write.dataId, write.group, write.namespaceId, write.content, write.md5, write.type);
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
    const [content, md5, type] = [next<string>(), next<string>(), next<ConfigType>()];
    const by = { ip: next<string>(), user: next<string | null>() };
    const expectedMd5 = next<string | undefined>();
    const [appName, description] = [next<string | undefined>(), next<string | null>()];
    const [use, effect, schema] = [next<string | null>(), next<string | null>(), next<string | null>()];
    const facts = { appName, description, use, effect, schema, tags: next<readonly string[] | undefined>(), by };
    const write = { dataId, group, namespaceId, content, md5, type, ...facts };
    commands.push({
      op: 'put-config',
      write: expectedMd5 === undefined ? write : { ...write, expectedMd5 },
      nowMs: first,
    });
  }
  return commands;
}

export function packResults(results: readonly WriteOutcome[]): PackedResults {
  return results.map((result) => (result.outcome === 'written' && result.changes === 1 ? result.revision : result));
}

export function unpackResult(packed: number | WriteOutcome): WriteOutcome {
  return typeof packed === 'number' ? { outcome: 'written', revision: packed, changes: 1 } : packed;
}
