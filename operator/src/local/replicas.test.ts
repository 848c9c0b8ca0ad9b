import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withReplicasInText } from './replicas.ts';

const HEAD = 'apiVersion: nacos-kube.dev/v1alpha1\nkind: NacosCluster\nmetadata:\n  name: demo\n';

test('only the number changes: comments, order and style stay', () => {
  for (const [before, after] of [
    [
      'spec:\n  replicas: 3 # odd\n  auth: { enabled: false }\n',
      'spec:\n  replicas: 5 # odd\n  auth: { enabled: false }\n',
    ],
    ['spec: { "replicas" : 3, auth: { enabled: false } }\n', 'spec: { "replicas" : 5, auth: { enabled: false } }\n'],
    ['spec:\r\n  replicas: 12\r\n', 'spec:\r\n  replicas: 5\r\n'],
    ['# replicas: 3\nspec:\n  replicas: 3', '# replicas: 3\nspec:\n  replicas: 5'],
  ] as const) {
    assert.equal(withReplicasInText(HEAD + before, 5), HEAD + after);
  }
});

test('the number of another document, or of a deeper field, is left alone', () => {
  const other = 'kind: Deployment\nspec:\n  replicas: 3\n---\n';
  const deep = 'spec:\n  settings: { replicas: "7" }\n  replicas: 3\n';
  assert.equal(withReplicasInText(other + HEAD + deep, 4), other + HEAD + deep.replace('replicas: 3', 'replicas: 4'));
});

test('a manifest that leaves the number to the default gets one', () => {
  const text = `${HEAD}spec: # short\n    auth:\n        enabled: false\n`;
  const expected = `${HEAD}spec: # short\n    replicas: 3\n    auth:\n        enabled: false\n`;
  assert.equal(withReplicasInText(text, 3), expected);
});

test('where the number cannot be changed alone nothing is', () => {
  for (const spec of ['spec: {}\n', 'spec:\n  replicas: &n 3\n', '', 'spec: 7\n', 'spec:\n\treplicas: 3\n']) {
    assert.equal(withReplicasInText(HEAD + spec, 5), undefined, spec);
  }
});
