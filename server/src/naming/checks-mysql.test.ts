import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createNodeHost } from '@nacos-kube/core/host/node/node-host.ts';
import { createMysqlProbe } from '@nacos-kube/core/probe/mysql-check.ts';
import type { ProbeOutcome, ProbeTarget } from '@nacos-kube/core/probe/target.ts';
import { createConnection } from 'mysql2';
import { type Mariadb, mariadbMissing, startMariadb } from '../../../e2e/engines/mariadb.ts';

const READ_ONLY = "show global variables where variable_name='read_only'";

describe('a MYSQL check of a real server', { skip: (await mariadbMissing()) ?? false }, () => {
  const host = createNodeHost({ name: 'test', logLevel: 'error', logFormat: 'text' });
  const probe = createMysqlProbe(host, createConnection);
  let server: Mariadb;

  before(async () => {
    server = await startMariadb();
  });
  after(async () => {
    probe.close();
    await server?.stop();
  });

  const ask = (command: string, more: { user?: string; password?: string } = {}) => {
    const { address: ip, port, user, password } = server;
    const check = { kind: 'MYSQL', user, password, command, ...more } as const;
    const target: ProbeTarget = { service: 's', key: 'k', ip, port, check, healthy: true };
    return probe(target, check);
  };
  /** A machine that is busy with other tests may let a check time out, which counts as little here as it does there. */
  const tells = async (expected: ProbeOutcome, command = 'select 1', more = {}) => {
    let outcome = await ask(command, more);
    for (let round = 0; round < 20 && outcome === 'timeout' && expected !== outcome; round++)
      outcome = await ask(command, more);
    assert.equal(outcome, expected, command);
  };
  const connections = async () => {
    const [row] = await server.query(`SELECT COUNT(*) AS n FROM information_schema.processlist WHERE user = 'nacos'`);
    return Number(row?.['n']);
  };

  it('is well when the command runs, over one kept connection', async () => {
    for (const command of ['select 1', 'select 1', 'set @a = 1', READ_ONLY]) await tells('ok', command);
    assert.equal(await connections(), 1);
  });

  it('fails on a server that is read-only, when exactly that is asked', async () => {
    await server.query('SET GLOBAL read_only = 1');
    await tells('failed', READ_ONLY);
    await tells('ok');
    await server.query('SET GLOBAL read_only = 0');
    await tells('ok', READ_ONLY);
  });

  it('is down at once when the server refuses the command or the login', async () => {
    await tells('down', 'select * from no_such.table_at_all');
    await tells('down', 'select 1; select 2');
    await tells('down', 'select 1', { password: 'wrong' });
    await tells('ok');
  });

  it('gives a command a second, and the next one a connection of its own', async () => {
    await tells('timeout', 'select sleep(30)');
    await tells('ok');
  });

  it('cuts off a command that gives without end', async () => {
    await tells('ok', 'select seq from nacos.seq_1_to_10000000');
    await tells('ok');
  });

  it('reads no file of this machine that the server asks for', async () => {
    await server.query('SET GLOBAL local_infile = 1; CREATE TABLE nacos.stolen (line text)');
    assert.notEqual(await ask(`load data local infile '/etc/hostname' into table nacos.stolen`), 'ok');
    const [row] = await server.query('SELECT COUNT(*) AS n FROM nacos.stolen');
    assert.equal(Number(row?.['n']), 0);
  });

  it('times out when the server hangs, is down when it is gone, and well when it is back', async () => {
    await tells('ok');
    await server.pause();
    assert.equal(await ask('select 1'), 'timeout');
    server.resume();
    await server.kill();
    await tells('down');
    await server.start();
    await tells('ok');
    await server.kill();
    assert.notEqual(await ask('select 1'), 'ok', 'a kept connection that has ended is of no use');
    await tells('down');
    await server.start();
  });
});
