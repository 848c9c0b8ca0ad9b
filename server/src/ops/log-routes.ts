import type { LogLevel, LogLevels } from '@nacos-kube/core/host/host.ts';
import { text } from '@nacos-kube/core/http/answers.ts';
import { badRequest } from '@nacos-kube/core/http/protocol-error.ts';
import type { Form, Policy, Route } from '@nacos-kube/core/http/route.ts';
import { declared } from './parameters.ts';

const WRITE: Policy = { kind: 'write', area: 'operations' };

/** Areas of our log, which may be named too; `main` is what belongs to no area. */
const OWN = [
  'main',
  'naming',
  'push',
  'distro',
  'feed',
  'config',
  'dump',
  'members',
  'http',
  'network',
  'disk',
] as const;

/** The logs of the reference, each as the area that tells of the same here. */
const NAMING: Readonly<Record<string, string>> = {
  'naming-push': 'push',
  'naming-rt': 'naming',
  'naming-server': 'naming',
  'naming-event': 'naming',
  'naming-raft': 'feed',
  'naming-distro': 'distro',
  'naming-performance': 'naming',
};
const CONFIG: Readonly<Record<string, string>> = {
  'config-server': 'config',
  'config-fatal': 'config',
  'config-pull': 'config',
  'config-pull-check': 'config',
  'config-dump': 'dump',
  'config-memory': 'config',
  'config-client-request': 'http',
  'config-trace': 'config',
  'config-notify': 'config',
};
const CORE: Readonly<Record<string, string>> = {
  core: 'main',
  'core-auth': 'http',
  'core-raft': 'feed',
  'core-distro': 'distro',
  'core-cluster': 'members',
};

const LEVELS: ReadonlyMap<string, LogLevel> = new Map([
  ['error', 'error'],
  ['warn', 'warn'],
  ['info', 'info'],
  ['debug', 'debug'],
  ['trace', 'debug'],
]);

/** Levels of the log, changed until the node restarts. */
export function logRoutes(levels: LogLevels): Route[] {
  const route = (path: string, areas: Readonly<Record<string, string>>, done: string): Route => ({
    method: 'PUT',
    path,
    policy: WRITE,
    handler({ form }) {
      const { area, level } = decodeLevel(form, areas);
      levels.set(area, level);
      return text(done);
    },
  });
  return [
    route('/v1/ns/operator/log', NAMING, 'ok'),
    route('/v1/ns/ops/log', NAMING, 'ok'),
    route('/v1/cs/ops/log', CONFIG, '200'),
    route('/v1/core/ops/log', CORE, '200'),
  ];
}

function decodeLevel(form: Form, areas: Readonly<Record<string, string>>): { area: string; level: LogLevel } {
  const [name, said] = [declared(form, 'logName'), declared(form, 'logLevel')];
  const area = Object.hasOwn(areas, name) ? areas[name] : OWN.find((one) => one === name);
  if (area === undefined) {
    throw badRequest(`there is no such log, there are: ${[...Object.keys(areas), ...OWN].join(', ')}`);
  }
  const level = LEVELS.get(said.toLowerCase());
  if (level === undefined) throw badRequest(`there is no such level, there are: ${[...LEVELS.keys()].join(', ')}`);
  return { area, level };
}
