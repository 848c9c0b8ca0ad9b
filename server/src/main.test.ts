import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SettingsError } from '@nacos-kube/core/settings.ts';
import { serverCommand } from './main.ts';
import { SERVER_SETTINGS } from './settings/table.ts';

test('the help shows every setting and where it may come from', () => {
  const help = serverCommand().helpInformation();
  for (const { flag, env } of Object.values(SERVER_SETTINGS)) {
    assert.ok(help.includes(`--${flag} `), flag);
    for (const name of env) assert.ok(help.includes(name), name);
  }
  assert.match(help, /--properties <FILE>/);
});

test('a node that is told nonsense does not start, and says all that is wrong', async () => {
  const args = ['--properties', '/no/such/file', '--mode', 'cluster', '--port', '7', '--log-level', 'loud'];
  await assert.rejects(serverCommand().parseAsync(args, { from: 'user' }), (error) => {
    assert.ok(error instanceof SettingsError);
    const about = error.problems.map((problem) => /^--[a-z-]+/.exec(problem)?.[0]);
    assert.deepEqual(about.toSorted(), ['--cluster-key-file', '--log-level', '--port', '--properties']);
    assert.match(error.message, /^4 settings are wrong:\n {2}--/);
    return true;
  });
});
