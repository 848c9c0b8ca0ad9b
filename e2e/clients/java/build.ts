/** Makes the Java program once per state of its sources, in the cache; `mvn` fetches the client into its own repository. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { findProgram, ProgramError, run } from '../../kubernetes/processes.ts';

const PROJECT = import.meta.dirname;
const BUILD_MS_MAX = 10 * 60_000;
const DEBIAN_PACKAGES = [
  { program: 'java', packages: 'openjdk-17-jre-headless' },
  { program: 'javac', packages: 'default-jdk-headless' },
  { program: 'mvn', packages: 'maven' },
] as const;

/** What the Java client needs and this machine has not; empty when it can be built and run. */
export function missingForJava(find: (program: string) => string | undefined = findProgram): string[] {
  // A program that is built runs without the tools that made it.
  const needed = existsSync(builtFolder()) ? DEBIAN_PACKAGES.slice(0, 1) : DEBIAN_PACKAGES;
  return needed
    .filter(({ program }) => find(program) === undefined)
    .map(({ program, packages }) => `${program} (Debian: apt-get install ${packages})`);
}

/** The class path of the program, built when it isn't yet. */
export async function buildJavaClient(report: (line: string) => void = () => {}): Promise<string> {
  const built = builtFolder();
  if (!existsSync(built)) await build(built, report);
  return [join(built, 'classes'), join(built, 'lib', '*')].join(':');
}

async function build(built: string, report: (line: string) => void): Promise<void> {
  report('building the Java client (its libraries are fetched the first time)');
  const output = `${built}.${process.pid}`;
  const goals = ['compiler:compile', 'dependency:copy-dependencies'];
  const args = ['--batch-mode', '--quiet', '--file', join(PROJECT, 'pom.xml'), `-Doutput=${output}`, ...goals];
  await mkdir(join(built, '..'), { recursive: true });
  try {
    try {
      await run('mvn', ['--offline', ...args], { env: process.env, timeoutMs: BUILD_MS_MAX });
    } catch (error) {
      if (!(error instanceof ProgramError)) throw error;
      await run('mvn', args, { env: process.env, timeoutMs: BUILD_MS_MAX });
    }
    await rename(output, built);
  } catch (error) {
    // Another run may have been the first to finish.
    if (!existsSync(built)) throw error;
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}

function builtFolder(): string {
  const hash = createHash('sha256');
  for (const file of ['pom.xml', ...sources()]) hash.update(`${file}\0`).update(readFileSync(join(PROJECT, file)));
  return join(cacheFolder(), hash.digest('hex').slice(0, 16));
}

function sources(): string[] {
  const files = readdirSync(join(PROJECT, 'src'), { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.java'))
    .sort()
    .map((file) => join('src', file));
}

function cacheFolder(): string {
  const { NACOS_KUBE_CACHE, XDG_CACHE_HOME } = process.env;
  if (NACOS_KUBE_CACHE) return join(NACOS_KUBE_CACHE, 'java');
  return join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'nacos-kube', 'java');
}
