import { statSync } from 'node:fs';

/** Tells a file from one that takes its place under the same name; undefined when none can be seen there. */
export function fileIdentity(path: string): string | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false, bigint: true });
    return found && `${found.dev}:${found.ino}`;
  } catch {
    return undefined;
  }
}
