import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';

/** Debian keeps servers where an ordinary user's PATH does not lead. */
const MORE_DIRECTORIES = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin'];

export async function programPath(program: string): Promise<string | undefined> {
  for (const directory of [...(process.env['PATH'] ?? '').split(':'), ...MORE_DIRECTORIES]) {
    const path = join(directory, program);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // Looked for in the next one.
    }
  }
  return undefined;
}

/**
 * What a test gives as its `skip`: false when the program is there, else why it cannot run. Where `CI` is set a lack
 * is an error: a part that should run and cannot is a failure there.
 */
export async function needs(program: string, debianPackage: string): Promise<string | false> {
  if ((await programPath(program)) !== undefined) return false;
  const message = `${program} is not installed (Debian: apt-get install ${debianPackage})`;
  if (process.env['CI']) throw new Error(message);
  return message;
}
