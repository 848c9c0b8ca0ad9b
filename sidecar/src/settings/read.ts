import { readSettings, SettingsError, type SettingsOf, type SettingsSources } from '@nacos-kube/core/settings.ts';
import { SIDECAR_SETTINGS } from './table.ts';

/** Where the member list comes from. */
export type ListSource =
  | { readonly kind: 'file'; readonly file: string }
  | {
      readonly kind: 'configmap';
      readonly address: string;
      readonly port: number;
      readonly kubeNamespace: string;
      readonly name: string;
      readonly authorityFile: string;
      readonly tokenFile: string;
      readonly fallbackFile: string | undefined;
    };

export interface SidecarSettings {
  readonly member: string | undefined;
  readonly nodePort: number;
  readonly memberList: string;
  readonly tokenFile: string;
  readonly source: ListSource;
  readonly listen: string;
  readonly metricsPort: number;
  readonly probeIntervalMs: number;
  readonly probeTimeoutMs: number;
  readonly mysqlChecks: boolean;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly logFormat: 'text' | 'json';
}

/** Throws `SettingsError` with all that is wrong or missing. */
export function readSidecarSettings(sources: SettingsSources): SidecarSettings {
  const said = readSettings(SIDECAR_SETTINGS, sources);
  const problems: string[] = [];
  const required = (name: 'memberList' | 'sidecarTokenFile'): string => {
    const value = said[name];
    if (value === undefined) problems.push(missing(name));
    return value ?? '';
  };
  const memberList = required('memberList');
  const tokenFile = required('sidecarTokenFile');
  const source = sourceOf(said, problems);
  if (source === undefined || problems.length > 0) throw new SettingsError(problems);
  return {
    member: said.member,
    nodePort: said.nodePort,
    memberList,
    tokenFile,
    source,
    listen: said.listen,
    metricsPort: said.metricsPort,
    probeIntervalMs: said.probeIntervalSeconds * 1_000,
    probeTimeoutMs: said.probeTimeoutMs,
    mysqlChecks: said.mysqlChecks,
    logLevel: said.logLevel,
    logFormat: said.logFormat,
  };
}

function sourceOf(said: SettingsOf<typeof SIDECAR_SETTINGS>, problems: string[]): ListSource | undefined {
  if (said.memberListSource !== undefined) return { kind: 'file', file: said.memberListSource };
  const { configMap: name, kubeNamespace, apiHost: address } = said;
  if (name === undefined) {
    problems.push('--configmap or --member-list-source: one must say where the member list comes from');
    return undefined;
  }
  if (kubeNamespace === undefined) problems.push(missing('kubeNamespace'));
  if (address === undefined) problems.push(`${missing('apiHost')}; Kubernetes sets it in every container`);
  if (kubeNamespace === undefined || address === undefined) return undefined;
  return {
    kind: 'configmap',
    address,
    port: said.apiPort,
    kubeNamespace,
    name,
    authorityFile: `${said.apiAccess}/ca.crt`,
    tokenFile: `${said.apiAccess}/token`,
    fallbackFile: said.memberListFallback,
  };
}

function missing(name: keyof typeof SIDECAR_SETTINGS): string {
  const { flag, value, env, help } = SIDECAR_SETTINGS[name];
  return `--${flag} ${value} (or ${env.join(', ')}) is missing: ${help}`;
}
