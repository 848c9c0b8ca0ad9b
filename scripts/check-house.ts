import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path/posix';
import { fileURLToPath } from 'node:url';
import { checkFile, type Dependencies, type SourceFile } from './house/rules.ts';

/** The rules of the house that no other tool knows; `house/rules.ts` has them. */
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDERS = ['bin', 'scripts', 'core', 'client', 'server', 'sidecar', 'operator', 'e2e', 'bench'];
const PACKAGES = ['', 'core', 'client', 'server', 'sidecar', 'operator', 'e2e'];
const LEFT_OUT = new Set(['node_modules', 'generated', 'dist', 'data']);

const dependencies: Dependencies = new Map(PACKAGES.map((directory) => [directory, dependenciesOf(directory)]));
const files = FOLDERS.flatMap((folder) => sourcesIn(join(ROOT, folder)));
const findings = files.flatMap((file) => checkFile(file, dependencies));

for (const { path, line, rule, message } of findings) console.error(`${path}:${line} ${rule}: ${message}`);
if (findings.length > 0) {
  console.error(`\n${findings.length} breaches of the rules of the house in ${files.length} files`);
  process.exitCode = 1;
} else {
  console.log(`the rules of the house hold in ${files.length} files`);
}

function sourcesIn(directory: string): SourceFile[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return LEFT_OUT.has(entry.name) ? [] : sourcesIn(path);
    if (!/\.(ts|mjs)$/.test(entry.name)) return [];
    return [{ path: relative(ROOT, path), text: readFileSync(path, 'utf8') }];
  });
}

function dependenciesOf(directory: string): readonly string[] {
  const manifest = JSON.parse(readFileSync(join(ROOT, directory, 'package.json'), 'utf8'));
  return Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
}
