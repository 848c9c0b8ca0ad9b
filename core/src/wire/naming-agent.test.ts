import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_SWITCHES } from '../model/switches.ts';
import { agentOf, PUSH_VERSIONS, parseAgent, pushVersionsOf } from './naming-agent.ts';

test('who may be pushed is told by prefix and version', () => {
  const table: readonly (readonly [string, boolean])[] = [
    ['Nacos-Java-Client:v1.4.8', true],
    ['Nacos-Java-Client:v1.0.0', true],
    ['Nacos-Java-Client:v0.1.0', true],
    ['Nacos-Java-Client:v0.0.9', false],
    ['Nacos-Java-Client:v0.1', true],
    ['Nacos-Java-Client', false],
    ['Nacos-Java-Client:vx', false],
    ['nacos-java-client:v1.4.8', false],
    ['Nacos-Go-Client:v1.0.1', true],
    ['Nacos-Go-Client:v0.0.1', false],
    ['Nacos-CSharp-Client:v1.0.0', true],
    ['Nacos-CSharp-Client:v0.9.0-beta', true],
    ['Nacos-CSharp-Client:v0.8.9', false],
    ['Nacos-CSharp-Client-v0.9', false],
    ['Nacos-C-Client:v1.0.12', true],
    ['Nacos-C-Client:v1.0.11', false],
    ['vip-client4cpp:v2.0.0', true],
    ['Nacos-DNS:v0.4.3', true],
    ['Nacos-DNS:v0.4.2', false],
    ['Nacos-DNS:v10.0', true],
    ['Nacos-Python-Client:v1.0', false],
    ['Nacos-SDK-Java:v1.0', false],
    ['Nacos-Server:1.4.8', false],
    ['unit-nginx:v9', false],
    ['Mozilla/5.0 Nacos-Java-Client:v1.4.8', false],
    ['', false],
  ];
  for (const [userAgent, mayBePushed] of table) assert.equal(parseAgent(userAgent).mayBePushed, mayBePushed, userAgent);
});

test('a version is the leading digits of its first three parts', () => {
  assert.deepEqual(parseAgent('Nacos-Java-Client:v1.4.8-SNAPSHOT').version, [1, 4, 8]);
  assert.deepEqual(parseAgent('Nacos-Java-Client:v2_10;3b/7').version, [2, 10, 3]);
  assert.deepEqual(parseAgent('Nacos-Java-Client:v1').version, [1, 0, 0]);
  assert.deepEqual(parseAgent(`Nacos-Java-Client:v${'9'.repeat(1000)}`).version, [999999999, 0, 0]);
});

test('only the Java client from 1.0.0 sees grouped names', () => {
  assert(parseAgent('Nacos-Java-Client:v1.0.0').isJavaSinceOne);
  assert(!parseAgent('Nacos-Java-Client:v0.9.9').isJavaSinceOne);
  assert(!parseAgent('Nacos-Go-Client:v1.0.1').isJavaSinceOne);
  assert(!parseAgent('curl/8').isJavaSinceOne);
});

test('the agent is the user agent, else the client version', () => {
  assert.equal(agentOf({ 'user-agent': 'Nacos-Go-Client:v1.0.0', 'client-version': 'Nacos-DNS:v1.0.0' }).kind, 'go');
  assert.equal(agentOf({ 'user-agent': ' ', 'client-version': 'Nacos-DNS:v1.0.0' }).kind, 'dns');
  assert.equal(agentOf({ 'client-version': '1.4.8' }).kind, 'other');
  assert.equal(agentOf({}).kind, 'other');
});

test('operators may ask for newer clients than those that understand pushes', () => {
  const since = pushVersionsOf({ ...DEFAULT_SWITCHES, pushJavaVersion: '1.4.0', pushCVersion: '2.0.0' });
  assert.deepEqual(pushVersionsOf(DEFAULT_SWITCHES), PUSH_VERSIONS);
  const mayBePushed = (agent: string) => parseAgent(agent, since).mayBePushed;
  assert.deepEqual(
    ['Nacos-Java-Client:v1.3.9', 'Nacos-Java-Client:v1.4.0', 'vip-client4cpp:v1.9.9', 'Nacos-Go-Client:v0.1.0'].map(
      mayBePushed,
    ),
    [false, true, false, true],
  );
});
