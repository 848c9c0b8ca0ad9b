import { realpathSync, statSync } from 'node:fs';

/** Tells a file from one that takes its place under the same name; undefined when none can be seen there. */
export function fileIdentity(path: string): string | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false, bigint: true });
    return found && `${found.dev}:${found.ino}`;
  } catch {
    return undefined;
  }
}

/** Of what a link leads to; of what is not there or cannot be seen the path itself. */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
