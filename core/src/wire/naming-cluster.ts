import { integer, lenientBoolean, optional, required } from '../http/parameters.ts';
import { badRequest } from '../http/protocol-error.ts';
import type { Form } from '../http/route.ts';
import { DEFAULT_CLUSTER, type ServiceId } from '../model/names.ts';
import { type ClusterSettings, type HealthChecker, newCluster } from '../model/service.ts';
import { decodeMetadata, encodeMetadata, parseObject } from './naming-metadata.ts';
import { checkCluster, checkText, decodeService } from './naming-names.ts';

export const HEALTH_CHECKER_CHARS_MAX = 4096;
export const HTTP_RESPONSE_CODE = 200;

export const NEW_DEFAULT_CLUSTER: ClusterSettings = newCluster(DEFAULT_CLUSTER);

export interface ClusterRequest {
  readonly service: ServiceId;
  readonly cluster: ClusterSettings;
}

/** PUT /cluster: sets a cluster as a whole. */
export function decodeClusterRequest(form: Form): ClusterRequest {
  const name = checkCluster(required(form, 'clusterName'));
  const service = decodeService(form);
  return {
    service,
    cluster: {
      name,
      checkPort: integer(required(form, 'checkPort'), 'checkPort', 0, 65_535),
      useInstancePort: lenientBoolean(required(form, 'useInstancePort4Check')),
      healthChecker: decodeHealthChecker(required(form, 'healthChecker')),
      metadata: decodeMetadata(optional(form, 'metadata', '')),
    },
  };
}

/** A type that nobody knows probes nothing, as in the reference. */
export function decodeHealthChecker(text: string): HealthChecker {
  const object = text.length > HEALTH_CHECKER_CHARS_MAX ? undefined : parseObject(text);
  if (object === undefined) throw badHealthChecker('it must be a JSON object with a type');
  const given = (name: string): string | undefined => {
    const value = object[name] ?? undefined;
    if (value !== undefined && typeof value !== 'string') throw badHealthChecker(`${name} must be a text`);
    return value === undefined ? undefined : checkText(value, `healthChecker.${name}`, HEALTH_CHECKER_CHARS_MAX);
  };
  switch (object.type) {
    case 'TCP':
      return { type: 'TCP' };
    case 'HTTP': {
      const { expectedResponseCode: code = HTTP_RESPONSE_CODE } = object;
      if (typeof code !== 'number' || !Number.isInteger(code) || code < 100 || code > 599) {
        throw badHealthChecker('expectedResponseCode must be from 100 to 599');
      }
      return { type: 'HTTP', path: given('path') ?? '', headers: given('headers') ?? '', expectedResponseCode: code };
    }
    case 'MYSQL': {
      const [user, pwd, cmd] = [given('user'), given('pwd'), given('cmd')];
      return {
        type: 'MYSQL',
        ...(user !== undefined && { user }),
        ...(pwd !== undefined && { pwd }),
        ...(cmd !== undefined && { cmd }),
      };
    }
    default:
      return { type: 'NONE' };
  }
}

/** GET /health/checkers: each type with what it is when nothing is said. */
export const HEALTH_CHECKERS: string = (() => {
  const checkers: readonly HealthChecker[] = [
    { type: 'TCP' },
    { type: 'HTTP', path: '', headers: '', expectedResponseCode: HTTP_RESPONSE_CODE },
    { type: 'MYSQL' },
    { type: 'NONE' },
  ];
  const entries = checkers.map((one) => `${JSON.stringify(one.type)}:${encodeUntypedHealthChecker(one)}`);
  return `{${entries.join(',')}}`;
})();

/** A cluster as the catalog of the console shows it. */
export function encodeCluster(serviceName: string, cluster: ClusterSettings, isEmpty: boolean): string {
  const { name, healthChecker, checkPort, useInstancePort, metadata } = cluster;
  return (
    `{"serviceName":${JSON.stringify(serviceName)},"name":${JSON.stringify(name)}` +
    `,"healthChecker":${encodeHealthChecker(healthChecker)},"defaultPort":80,"defaultCheckPort":80` +
    `,"useIPPort4Check":${useInstancePort},"metadata":${encodeMetadata(metadata)},"sitegroup":""` +
    `,"defCkport":${checkPort},"empty":${isEmpty},"defIPPort":${checkPort}}`
  );
}

export function encodeHealthChecker(checker: HealthChecker): string {
  return JSON.stringify({ type: checker.type, ...settingsOf(checker) });
}

/** Without the type, as in the text that the checksum of a service is made of. */
export function encodeUntypedHealthChecker(checker: HealthChecker): string {
  return JSON.stringify(settingsOf(checker));
}

/** In the order of the reference; what is undefined is left out. */
function settingsOf(checker: HealthChecker): object {
  switch (checker.type) {
    case 'TCP':
    case 'NONE':
      return {};
    case 'HTTP':
      return { path: checker.path, headers: checker.headers, expectedResponseCode: checker.expectedResponseCode };
    case 'MYSQL':
      return { user: checker.user, pwd: checker.pwd, cmd: checker.cmd };
  }
}

function badHealthChecker(why: string) {
  return badRequest(`Param 'healthChecker' is illegal, ${why}`);
}
