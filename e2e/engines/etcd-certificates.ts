import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface EtcdCertificates {
  /** What a client needs, as settings take it. */
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly memberFlags: readonly string[];
}

/** An authority of its own, one certificate for the members and one for clients, by openssl. */
export async function makeEtcdCertificates(directory: string): Promise<EtcdCertificates> {
  const path = (name: string) => join(directory, name);
  await openssl(['req', '-x509', ...newKey(path('ca.key')), '-out', path('ca.pem'), '-subj', '/CN=etcd-ca', ...DAYS]);
  await writeFile(path('extensions'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  for (const name of ['member', 'client']) {
    const request = path(`${name}.csr`);
    await openssl(['req', ...newKey(path(`${name}.key`)), '-out', request, '-subj', `/CN=${name}`]);
    await openssl([
      ...['x509', '-req', '-in', request, '-CA', path('ca.pem'), '-CAkey', path('ca.key'), '-CAcreateserial'],
      ...['-out', path(`${name}.pem`), '-extfile', path('extensions'), ...DAYS],
    ]);
  }
  const memberFlags = [
    ...[`--cert-file=${path('member.pem')}`, `--key-file=${path('member.key')}`],
    ...[`--trusted-ca-file=${path('ca.pem')}`, '--client-cert-auth'],
  ];
  return { caFile: path('ca.pem'), certFile: path('client.pem'), keyFile: path('client.key'), memberFlags };
}

const DAYS = ['-days', '2'];

function newKey(keyFile: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
}

async function openssl(args: readonly string[]): Promise<void> {
  await promisify(execFile)('openssl', [...args]);
}
