/** A pod with a port that members can probe, opened and closed from here, and with a network that clients can run in. */
import { until } from '../cluster.ts';
import { pidIn } from './pod-processes.ts';
import type { Three } from './three.ts';

const PORT = 9000;
const CONTROL_PORT = 9001;
const PROGRAM = `const { createServer } = require('node:net');
  const http = require('node:http');
  let server;
  const open = () => { server = createServer((socket) => socket.on('error', () => {}).destroy()).listen(${PORT}); };
  open();
  http.createServer((request, response) => {
    if (request.url === '/open') open();
    if (request.url === '/close') server.close();
    response.end('done');
  }).listen(${CONTROL_PORT});
  process.on('SIGTERM', () => process.exit());`;

export class ListenerPod {
  readonly ip: string;
  readonly port = PORT;
  /** One that never closes. */
  readonly otherPort = CONTROL_PORT;
  readonly #three: Three;
  readonly #name: string;
  readonly #controlPort: number;
  readonly #pid: number;

  private constructor(three: Three, name: string, ip: string, controlPort: number, pid: number) {
    this.#three = three;
    this.#name = name;
    this.ip = ip;
    this.#controlPort = controlPort;
    this.#pid = pid;
  }

  static async start(three: Three, name: string): Promise<ListenerPod> {
    const { installation, cluster } = three;
    const { image, pullPolicy: imagePullPolicy } = installation;
    const containers = [{ name: 'listener', image, imagePullPolicy, command: ['node', '-e', PROGRAM] }];
    await installation.apply([{ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { containers } }]);
    await installation.kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s');
    const pod = await installation.pod(name);
    const { podIP } = pod.status;
    const { port } = await cluster.forward({ host: podIP, port: CONTROL_PORT });
    const listener = new ListenerPod(three, name, podIP, port, pidIn(pod, 'node'));
    await until('it can be told', () => listener.#tell('look'));
    return listener;
  }

  /** The command line that runs a program of this computer in the pod's network. */
  inNetwork(command: readonly string[]): [string, ...string[]] {
    return ['nsenter', '-t', String(this.#pid), '-n', '--', ...command];
  }

  async open(): Promise<void> {
    await this.#tell('open');
  }

  async close(): Promise<void> {
    await this.#tell('close');
  }

  async remove(): Promise<void> {
    await this.#three.installation.kubectl('delete', 'pod', this.#name);
  }

  async #tell(what: string): Promise<true> {
    const response = await fetch(`http://127.0.0.1:${this.#controlPort}/${what}`, { headers: { connection: 'close' } });
    await response.text();
    return true;
  }
}
