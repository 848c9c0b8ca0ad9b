import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { evaluateRule } from './cel.ts';
import { ManifestError, readManifest, SHARED_STORE_RULE, schemaOf } from './manifest.ts';
import { isTransition, type Rule, type Schema } from './schema.ts';

const ROOT = join(import.meta.dirname, '../../..');
const CRD = readFileSync(join(ROOT, 'crds/nacosclusters.yaml'), 'utf8');
const INVALID = join(ROOT, 'crds/invalid');
const HEAD = 'apiVersion: nacos-kube.dev/v1alpha1\nkind: NacosCluster\nmetadata: { name: demo }\n';

const read = (text: string) => readManifest('cluster.yaml', text, CRD);
const problemsOf = (text: string) => {
  try {
    read(text);
  } catch (error) {
    if (error instanceof ManifestError) return error.message;
    throw error;
  }
  return '';
};

test('a short manifest gets the defaults of the CRD', () => {
  const { cluster, skipped } = read(`${HEAD}spec: { replicas: 3, auth: { enabled: false } }\n`);
  assert.equal(cluster.spec.replicas, 3, 'several members share one file on one machine');
  assert.equal(cluster.spec.storage?.embedded?.size, '1Gi');
  assert.equal(cluster.spec.vip.port, 8848);
  assert.equal(cluster.spec.sidecar.probe.intervalSeconds, 5);
  assert.deepEqual(skipped, []);
});

for (const file of readdirSync(INVALID).filter((name) => name.endsWith('.yaml'))) {
  const text = readFileSync(join(INVALID, file), 'utf8');
  const expected = /^# Refused with: (.*)$/m.exec(text)?.[1];
  if (file.includes('replicas-without-shared-store')) continue;
  test(`what the API server refuses is refused here: ${file}`, () => {
    const problems = problemsOf(text);
    assert.notEqual(problems, '');
    if (expected !== undefined && !/^(spec|metadata)[.\w]*: /.test(expected)) {
      assert.ok(problems.includes(expected), `${problems}\n  does not say: ${expected}`);
    }
  });
}

test('every rule of the CRD can be evaluated here, and the one that is waived is among them', () => {
  const rules: Rule[] = [];
  const collect = (schema: Schema) => {
    rules.push(...(schema['x-kubernetes-validations'] ?? []));
    for (const part of Object.values(schema.properties ?? {})) collect(part);
    for (const part of [schema.items, schema.additionalProperties]) if (part !== undefined) collect(part);
  };
  collect(schemaOf(CRD));
  for (const { rule } of rules) if (!isTransition(rule)) evaluateRule(rule, {});
  assert.ok(rules.some(({ rule }) => rule === SHARED_STORE_RULE));
});

test('a cluster from before the managed etcd keeps its name, and its file', () => {
  const rules = schemaOf(CRD)['x-kubernetes-validations'] ?? [];
  const refusals = (object: object) =>
    rules.filter(({ rule }) => !isTransition(rule) && !evaluateRule(rule, object)).map(({ message }) => message);
  const named = { metadata: { name: 'shop-etcd' }, spec: { replicas: 1 } };
  assert.match(refusals(named).join(), /may not end in -etcd/);
  const status = { readyReplicas: 1, store: 'embedded' };
  assert.deepEqual(refusals({ ...named, status }), [], 'it can be changed, and its status be written');
  assert.match(refusals({ ...named, spec: { replicas: 3 }, status }).join(), /keeps everything on the volume/);
  assert.deepEqual(refusals({ ...named, spec: { replicas: 3 }, status: { ...status, store: 'mysql' } }), []);
});

test('settings may name another file of the embedded store, as a restore beside it needs, and no other store', () => {
  const withSetting = (line: string) =>
    `${HEAD}spec: { replicas: 1, auth: { enabled: false }, settings: { ${line} } }\n`;
  assert.equal(problemsOf(withSetting('NACOS_KUBE_SQLITE_FILE: /data/restored.sqlite')), '');
  assert.match(problemsOf(withSetting('NACOS_KUBE_STORAGE: etcd')), /may not set what other fields/);
});

test('all problems are told at once, with their place', () => {
  const problems = problemsOf(
    `${HEAD}spec: { replicas: three, auth: { enabled: false }, vip: { port: 0 }, vipp: {} }\n`,
  );
  assert.match(problems, /spec\.replicas: must be a whole number/);
  assert.match(problems, /spec\.vip\.port: must be 1 at least/);
  assert.match(problems, /unknown field "spec\.vipp": there are replicas, /);
});

test('the database of a cluster comes from a Secret beside it, plain or base64', () => {
  const spec =
    'spec: { replicas: 3, auth: { enabled: false }, storage: { mysql: { host: 127.0.0.1, secretName: login } } }\n';
  assert.match(problemsOf(`${HEAD}${spec}`), /Secret login .* is not in the file/);
  const secret = '---\napiVersion: v1\nkind: Secret\nmetadata: { name: login }\n';
  assert.match(problemsOf(`${HEAD}${spec}${secret}`), /needs the keys user and password/);
  const { database, skipped } = read(
    `${HEAD}${spec}${secret}data: { user: bmFjb3M= }\nstringData: { password: p }\n---\nkind: Namespace\nmetadata: { name: shop }\n`,
  );
  assert.deepEqual(database, { user: 'nacos', password: 'p' });
  assert.deepEqual(skipped, ['Namespace/shop']);
});

test('what is no manifest is told so', () => {
  assert.match(problemsOf('a: [1,\n'), /it is no YAML/);
  assert.match(problemsOf('kind: Deployment\n'), /it has no NacosCluster/);
  assert.match(problemsOf(`${HEAD}---\n${HEAD}`), /2 NacosClusters/);
  assert.match(
    problemsOf('apiVersion: nacos-kube.dev/v1\nkind: NacosCluster\nmetadata: { name: a }\n'),
    /apiVersion must/,
  );
  assert.match(problemsOf('apiVersion: nacos-kube.dev/v1alpha1\nkind: NacosCluster\nspec: {}\n'), /metadata\.name/);
});
