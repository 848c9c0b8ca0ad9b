/** What the suites on Kubernetes stand on, checked against our own cluster with one node. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { buildPrograms } from './build.ts';
import { CHECK_IMAGE, FIXTURES, importCheckImage } from './check-image.ts';
import { GivenCluster, missingForCluster, OwnCluster, requireOrFail, until } from './cluster.ts';
import { HUB_ADDRESS } from './node-config.ts';
import { CHECKOUT } from './product-image.ts';
import { removeCluster, stateFolder, tracesOf } from './state.ts';

const given = process.env.KUBECONFIG ? ['our own cluster: KUBECONFIG names another'] : [];
const skip = given[0] ?? requireOrFail('the cluster for the tests', missingForCluster());
/** One after the other, on a node that has just come up. */
const PODS_MS_MAX = 120_000;
const productSkip = !existsSync(join(CHECKOUT, 'bin/nacos-kube.ts')) && 'the product has no program yet';

describe('our own cluster with one node', { skip }, () => {
  let cluster: OwnCluster;
  const kubectl = (...args: string[]) => cluster.kubectl(args);
  const inPod = (pod: string, path: string) =>
    kubectl('exec', pod, '--', 'node', '-e', `fetch('${path}').then(r => r.text()).then(t => console.log(t))`);

  before(async () => {
    cluster = await OwnCluster.start({ nodes: 1 }, (line) => console.log(line));
    await importCheckImage(cluster);
    await kubectl('apply', '-f', join(FIXTURES, 'app.yaml'));
    await cluster.kubectl(['rollout', 'status', 'statefulset/app', '--timeout=110s'], { timeoutMs: PODS_MS_MAX });
  });
  after(async () => {
    await cluster?.stop();
  });

  test('three pods of a StatefulSet with a volume each are ready', async () => {
    const { items } = await cluster.get('pvc');
    assert.deepEqual(
      items.map((claim: { status: { phase: string } }) => claim.status.phase),
      ['Bound', 'Bound', 'Bound'],
    );
  });

  test('a pod has a name in DNS, and a headless Service has them all', async () => {
    const one = await inPod('app-0', 'http://localhost:8848/lookup?name=app-2.app-headless.default.svc.cluster.local');
    const { status } = await cluster.get('pod', 'app-2');
    assert.equal(JSON.parse(one)[0].address, status.podIP);
    assert.equal(JSON.parse(await inPod('app-0', 'http://localhost:8848/lookup?name=app-headless')).length, 3);
  });

  test('a VIP leads to all ready pods, by name from a pod and by a forward from this computer', async () => {
    assert.match(await inPod('app-1', 'http://app/'), /"host":"app-\d"/);
    const { port, close } = await cluster.forward({ service: 'app', port: 80 });
    const hosts = new Set<string>();
    for (let i = 0; i < 40; i += 1) hosts.add((await fetchJson(`http://127.0.0.1:${port}/`)).host);
    await close();
    assert.deepEqual([...hosts].sort(), ['app-0', 'app-1', 'app-2']);
  });

  test('a forward to where nothing listens is reset, and one to nobody says why', async () => {
    const { port } = await cluster.forward({ pod: 'app-0', port: 9 });
    await assert.rejects(fetch(`http://127.0.0.1:${port}/`));
    await assert.rejects(cluster.forward({ service: 'app-headless', port: 8848 }), /has no address of its own/);
    await assert.rejects(cluster.forward({ pod: 'nobody', port: 1 }), /not found/);
  });

  test('a pod whose probe fails leaves the VIP and comes back', async () => {
    const ready = async () => {
      const { items } = await cluster.get('endpointslices', '-l', 'kubernetes.io/service-name=app');
      const endpoints = items.flatMap((slice: { endpoints: unknown[] }) => slice.endpoints);
      return endpoints.filter((endpoint: { conditions: { ready: boolean } }) => endpoint.conditions.ready).length;
    };
    await inPod('app-2', 'http://localhost:8848/set-ready?to=false');
    await until('two endpoints are ready', async () => (await ready()) === 2);
    await inPod('app-2', 'http://localhost:8848/set-ready?to=true');
    await until('three endpoints are ready', async () => (await ready()) === 3);
  });

  test('a program runs in a pod and its log is read', async () => {
    assert.match(await kubectl('exec', 'app-0', '--', 'sh', '-c', 'id; node --version'), /uid=10001.*\nv26\./s);
    assert.match(await kubectl('logs', 'app-1'), /app-1 listens, start 1/);
    await assert.rejects(kubectl('exec', 'app-0', '--', 'sh', '-c', 'exit 3'), { name: 'ProgramError', code: 3 });
  });

  test('a deleted pod comes back under its name with its volume', async () => {
    const { metadata } = await cluster.get('pod', 'app-1');
    await kubectl('delete', 'pod', 'app-1', '--wait');
    await until('another app-1 is ready', async () => {
      const pod = await cluster.get('pod', 'app-1');
      const isReady = pod.status.conditions?.some((c: Condition) => c.type === 'Ready' && c.status === 'True');
      return isReady && pod.metadata.uid !== metadata.uid;
    });
    assert.equal(JSON.parse(await inPod('app-1', 'http://localhost:8848/')).boots, 2);
  });

  test('a CRD with CEL rules is established, refuses by them, and applies by fields', async () => {
    await kubectl('apply', '--server-side', '-f', join(FIXTURES, 'crd.yaml'));
    await kubectl('wait', '--for=condition=Established', 'crd/boats.e2e.nacos-kube.dev', '--timeout=20s');
    const boat = (spec: object) => [
      { apiVersion: 'e2e.nacos-kube.dev/v1', kind: 'Boat', metadata: { name: 'one' }, spec },
    ];
    const by = (manager: string) => ['--server-side', `--field-manager=${manager}`];
    await cluster.apply(boat({ replicas: 3, mode: 'cluster' }), by('first'));
    await assert.rejects(cluster.apply(boat({ replicas: 4 }), by('second')), /conflict with "first"/);
    await assert.rejects(cluster.apply(boat({ replicas: 3, mode: 'standalone' })), /standalone has one replica/);
    await kubectl('patch', 'boat', 'one', '--subresource=status', '--type=merge', '-p', '{"status":{"ready":2}}');
    assert.equal((await cluster.get('boat', 'one')).status.ready, 2);
  });

  test('helm installs, upgrades and uninstalls a chart', async () => {
    const chart = join(FIXTURES, 'chart');
    await cluster.helm(['install', 'tiny', chart, '--wait', '--timeout=50s']);
    await cluster.helm(['upgrade', 'tiny', chart, '--set=replicas=2', '--wait', '--timeout=50s']);
    assert.equal((await cluster.get('deployment', 'tiny')).status.readyReplicas, 2);
    await cluster.helm(['uninstall', 'tiny', '--wait']);
    assert.equal((await cluster.get('deployments')).items.length, 0);
  });

  test('a service account may not do what no role allows', async () => {
    const account = '--as=system:serviceaccount:default:default';
    await assert.rejects(kubectl('auth', 'can-i', 'list', 'secrets', account), { stdout: 'no\n' });
    const role = ['role', 'reader', '--verb=list', '--resource=secrets'];
    await kubectl('create', ...role);
    await kubectl('create', 'rolebinding', 'reader', '--role=reader', '--serviceaccount=default:default');
    assert.equal(await kubectl('auth', 'can-i', 'list', 'secrets', account), 'yes\n');
  });

  test('a native sidecar writes before the main container starts, and alone has the token', async () => {
    await kubectl('apply', '-f', join(FIXTURES, 'two-containers.yaml'));
    await kubectl('wait', '--for=condition=Ready', 'pod/two-containers', '--timeout=50s');
    assert.equal(await kubectl('logs', 'two-containers', '-c', 'main'), 'written\n');
    const ask = `const d = '/var/run/secrets/kubernetes.io/serviceaccount/', f = require('fs').readFileSync;
      require('https').get('https://kubernetes.default.svc/version',
        { ca: f(d + 'ca.crt'), headers: { authorization: 'Bearer ' + f(d + 'token') } }, (r) => r.pipe(process.stdout))`;
    assert.match(await kubectl('exec', 'two-containers', '-c', 'sidecar', '--', 'node', '-e', ask), /v1\.34\.4/);
    const look = ['exec', 'two-containers', '-c', 'main', '--', 'ls', '/var/run/secrets'];
    await assert.rejects(kubectl(...look), /No such file/);
    await kubectl('delete', 'pod', 'two-containers', '--grace-period=1');
  });

  test('pods reach a server in the hub, which sees their own addresses', async () => {
    const code = `require('net').createServer((s) => s.end(s.remoteAddress)).listen(3306, '${HUB_ADDRESS}',
      () => console.log('listens'))`;
    const server = cluster.start('hub', process.execPath, ['-e', code]);
    await until('the server in the hub listens', async () => server.output().includes('listens'));
    const ask = `require('net').connect(3306, '${HUB_ADDRESS}').pipe(process.stdout)`;
    const { status } = await cluster.get('pod', 'app-0');
    assert.equal(await kubectl('exec', 'app-0', '--', 'node', '-e', ask), status.podIP);
    await server.stop();
    assert.equal(server.isAlive, false);
  });

  test('a program in the hub reaches pods by TCP and UDP under its own address, and the VIP under that of a node', async () => {
    const { status } = await cluster.get('pod', 'app-0');
    const { host } = await cluster.addressOf({ service: 'app', port: 80 });
    const fetching = (url: string) => `fetch('${url}').then(r => r.json()).then(a => console.log(a.caller))`;
    const onHub = (code: string) => cluster.on('hub', process.execPath, ['-e', code]);
    assert.equal(await onHub(fetching(`http://${status.podIP}:8848/`)), `${HUB_ADDRESS}\n`);
    // kube-proxy rewrites the source of callers from outside, so what is pushed by UDP to it is lost.
    assert.notEqual(await onHub(fetching(`http://${host}/`)), `${HUB_ADDRESS}\n`);
    const udp = `const s = require('dgram').createSocket('udp4', (m) => { console.log(String(m)); s.close() });
      s.send('?', 8849, '${status.podIP}')`;
    assert.equal(await onHub(udp), `${HUB_ADDRESS}\n`);
  });

  test('a program that is given up on does not go on in its machine', async () => {
    const running = cluster.on('node1', 'sleep', ['4711'], { namespaces: 'all', timeoutMs: 500 });
    await assert.rejects(running, /took longer than 500 ms/);
    await until(
      'it has ended',
      async () => !(await cluster.on('node1', 'ps', ['ax'], { namespaces: 'all' })).includes('4711'),
    );
  });

  test('a second name of an image is an image for pods', async () => {
    await cluster.tagImage(CHECK_IMAGE, 'registry.local/check:2');
    await kubectl('run', 'second', '--image=registry.local/check:2', '--image-pull-policy=Never');
    await kubectl('wait', '--for=condition=Ready', 'pod/second', '--timeout=50s');
    await kubectl('delete', 'pod', 'second', '--grace-period=1');
  });

  test('the API server comes back after a kill, for kubectl and by the kubeconfig for this computer', async () => {
    await cluster.killApiServer();
    await assert.rejects(cluster.kubectl(['get', 'nodes'], { timeoutMs: 5_000 }));
    await cluster.startApiServer();
    await until('kubectl answers', () => kubectl('get', 'nodes'));
    assert.match(await askVersion(cluster.kubeconfig), /v1\.34\.4/);
  });

  test('a cluster given by its kubeconfig is used as it is', async () => {
    const { PATH, NACOS_KUBE_IMAGE } = process.env;
    const said: string[] = [];
    const other = new GivenCluster(cluster.kubeconfig, (line) => said.push(line));
    try {
      process.env.PATH = `${(await buildPrograms()).bin}:${PATH}`;
      assert.equal((await other.get('pod', 'app-0')).metadata.name, 'app-0');
      const { port } = await other.forward({ service: 'app', port: 80 });
      assert.match((await fetchJson(`http://127.0.0.1:${port}/`)).host, /^app-/);
      await assert.rejects(other.forward({ host: '10.96.0.1', port: 443 }), /name the service or the pod/);
      await other.importImage('some.tar');
      assert.match(said.join(), /not importing some.tar/);
      delete process.env.NACOS_KUBE_IMAGE;
      await assert.rejects(other.productImage(), /set NACOS_KUBE_IMAGE/);
      process.env.NACOS_KUBE_IMAGE = 'registry.example/nacos-kube:1';
      assert.equal((await other.productImage()).image, 'registry.example/nacos-kube:1');
      await other.stop();
      await assert.rejects(fetch(`http://127.0.0.1:${port}/`));
    } finally {
      process.env.PATH = PATH;
      if (NACOS_KUBE_IMAGE === undefined) delete process.env.NACOS_KUBE_IMAGE;
      else process.env.NACOS_KUBE_IMAGE = NACOS_KUBE_IMAGE;
    }
  });

  test('the image of the product is on the node and its program runs', { skip: productSkip }, async () => {
    const { image } = await cluster.productImage();
    const run = ['run', 'product', `--image=${image}`, '--image-pull-policy=Never', '--restart=Never'];
    await kubectl(...run, '--', '--help');
    await kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/product', '--timeout=50s');
    assert.match(await kubectl('logs', 'product'), /server.*sidecar|sidecar.*server/s);
    await kubectl('delete', 'pod', 'product', '--grace-period=1');
  });

  test('deleting the claims removes the volumes', async () => {
    await kubectl('delete', '-f', join(FIXTURES, 'app.yaml'), '--timeout=50s');
    await kubectl('delete', 'pvc', '--all', '--timeout=50s');
    await until('no volume is left', async () => readdirSync(join(cluster.folder, 'volumes')).length === 0);
  });

  test('stopping leaves no process, mount, control group or file', async () => {
    const namespaces = [namespaceOf(cluster, 'hub'), namespaceOf(cluster, 'node1')];
    // Its child is no child of ours and not among the processes of the hub.
    cluster.start('hub', 'sh', ['-c', 'sh -c "sleep 1000; echo" & exit']);
    assert.ok(processesIn(namespaces, cluster.folder).length > 5);
    await cluster.stop();
    await untilNoProcess(namespaces, cluster.folder);
    assert.deepEqual(tracesOf(cluster.folder), []);
  });
});

describe('our own cluster whose starter is killed', { skip }, () => {
  test('ends by itself, and the next start or stop removes the rest', async () => {
    const folder = `${stateFolder()}-dead`;
    const code = `import { OwnCluster } from '${join(import.meta.dirname, 'cluster.ts')}';
      const cluster = await OwnCluster.start({ state: '${folder}' });
      cluster.freezeKubelet(1);
      console.log(cluster.pidOf('node1'));
      setInterval(() => {}, 1000);`;
    const starter = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      let pid = '';
      for await (const text of starter.stdout) {
        pid += text;
        break;
      }
      assert.match(pid, /^\d+\n$/, 'the starter printed no PID');
      const namespace = readlinkSync(`/proc/${pid.trim()}/ns/pid`);
      await assert.rejects(OwnCluster.start({ state: folder }), /process \d+ has a cluster in/);
      starter.kill('SIGKILL');
      await untilNoProcess([namespace], folder);
      await removeCluster(folder);
      assert.deepEqual(tracesOf(folder), []);
    } finally {
      starter.kill('SIGKILL');
      await removeCluster(folder);
    }
  });
});

interface Condition {
  readonly type: string;
  readonly status: string;
}

// biome-ignore lint/suspicious/noExplicitAny: the fixture answers JSON.
async function fetchJson(url: string): Promise<any> {
  // Without this, fetch keeps one connection and so one pod.
  const response = await fetch(url, { headers: { connection: 'close' } });
  return await response.json();
}

async function askVersion(kubeconfigFile: string): Promise<string> {
  const { clusters, users } = JSON.parse(readFileSync(kubeconfigFile, 'utf8'));
  const { server, 'certificate-authority': authority } = clusters[0].cluster;
  const options = { ca: readFileSync(authority), headers: { authorization: `Bearer ${users[0].user.token}` } };
  const [response] = await once(get(`${server}/version`, options), 'response');
  let text = '';
  for await (const chunk of response) text += chunk;
  return text;
}

function namespaceOf(cluster: OwnCluster, machine: 'hub' | 'node1'): string {
  return readlinkSync(`/proc/${cluster.pidOf(machine)}/ns/pid`);
}

async function untilNoProcess(namespaces: readonly string[], folder: string): Promise<void> {
  const isNone = async () => {
    const left = processesIn(namespaces, folder);
    if (left.length > 0) throw new Error(left.join(', '));
    return true;
  };
  await until('no process is left', isNone, { timeoutMs: 30_000 });
}

/** Processes of these PID namespaces, or that have the folder in their command or environment. */
function processesIn(namespaces: readonly string[], folder: string): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids.flatMap((pid) => {
    try {
      // A dead process is seen until its parent, which is PID 1 of this computer, takes notice: it holds nothing any more.
      if (/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) return [];
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      const text = command + readFileSync(`/proc/${pid}/environ`, 'utf8');
      const isTrace = text.includes(`${folder}/`) || namespaces.includes(readlinkSync(`/proc/${pid}/ns/pid`));
      return isTrace ? [`${pid} ${command}`] : [];
    } catch {
      return [];
    }
  });
}
