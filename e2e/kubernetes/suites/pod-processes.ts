/** Processes of a pod as this computer counts them, for what nobody inside a pod can do: stop its first process, enter its network. */
import { readdirSync, readFileSync } from 'node:fs';
import type { PodObject } from './installation.ts';

/** The process in the pod whose command line has this in it. */
export function pidIn({ metadata }: PodObject, command: string): number {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      if (line.includes(command) && readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(metadata.uid))
        return Number(pid);
    } catch {
      // It has ended meanwhile.
    }
  throw new Error(`no process of ${metadata.name} runs ${command}`);
}
