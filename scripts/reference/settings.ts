import type { Setting, SettingsTable } from '@nacos-kube/core/settings.ts';
import { UP_SETTINGS } from '../../operator/src/local/settings/table.ts';
import { OPERATOR_SETTINGS } from '../../operator/src/settings/table.ts';
import { SERVER_SETTINGS } from '../../server/src/settings/table.ts';
import { SIDECAR_SETTINGS } from '../../sidecar/src/settings/table.ts';
import { code, head, table } from './markdown.ts';

interface Program {
  readonly command: string;
  readonly note: string;
  readonly settings: SettingsTable;
}

const PROGRAMS: readonly Program[] = [
  {
    command: 'server',
    note: [
      'One node. `--properties FILE` (or `NACOS_KUBE_PROPERTIES`) names a file of `key=value` lines with the names in the',
      'column *property*, such as an `application.properties` that is there already. On Kubernetes the operator sets',
      'addresses, paths and the store; the rest goes to `spec.settings` of the [NacosCluster](nacoscluster.md) by its',
      'environment name.',
    ].join('\n'),
    settings: SERVER_SETTINGS,
  },
  {
    command: 'sidecar',
    note: 'The agent beside a node. The operator and `up` set all of it.',
    settings: SIDECAR_SETTINGS,
  },
  {
    command: 'operator',
    note: 'The operator of a Kubernetes cluster. The chart sets it from `values.yaml`.',
    settings: OPERATOR_SETTINGS,
  },
  {
    command: 'up',
    note: 'The cluster of a manifest on this machine, which is what `npm start` runs.',
    settings: UP_SETTINGS,
  },
];

export function settingsPage(): string {
  return `${[
    head('Settings', 'the settings tables of each program'),
    [
      'Every program is `nacos-kube COMMAND`; `nacos-kube COMMAND --help` says the same as this page. What is said twice',
      'counts in this order: default < properties file < environment < flag. All that is wrong is reported at once, and',
      'the program does not start. Secrets belong in files.',
    ].join('\n'),
    ...PROGRAMS.flatMap(({ command, note, settings }) => [`## ${command}`, note, settingsTable(settings)]),
  ].join('\n\n')}\n`;
}

function settingsTable(settings: SettingsTable): string {
  const all = Object.values(settings);
  const hasEnv = all.some(({ env }) => env.length > 0);
  const hasProperties = all.some(({ properties = [] }) => properties.length > 0);
  const columns: readonly (readonly [string, (setting: Setting<unknown>) => string])[] = [
    ['flag', ({ flag, value }) => code(value === undefined ? `--${flag}` : `--${flag} ${value}`)],
    ...(hasEnv ? [['environment', ({ env }: Setting<unknown>) => env.map(code).join(', ')] as const] : []),
    ...(hasProperties
      ? [['property', ({ properties = [] }: Setting<unknown>) => properties.map(code).join(', ')] as const]
      : []),
    ['default', (setting) => code(setting.default ?? '')],
    ['what', ({ help }) => help],
  ];
  return table(
    columns.map(([title]) => title),
    all.map((setting) => columns.map(([, read]) => read(setting))),
  );
}
