import type { Setting, SettingsTable } from './settings.ts';

export interface SettingOption {
  /** As a command line parser takes it, e.g. `--data <DIR>`. */
  readonly flags: string;
  /** What it does, with its default and its other names. */
  readonly description: string;
}

/** The lines of `--help`, in the order of the table. */
export function settingOptions(table: SettingsTable): readonly SettingOption[] {
  return Object.values(table).map((setting) => ({
    flags: setting.value === undefined ? `--${setting.flag}` : `--${setting.flag} <${setting.value}>`,
    description: `${setting.help}${otherWays(setting)}`,
  }));
}

function otherWays(setting: Setting<unknown>): string {
  const ways = [
    ...(setting.default === undefined || setting.default === '' ? [] : [`default ${setting.default}`]),
    ...(setting.env.length === 0 ? [] : [`environment ${setting.env.join(', ')}`]),
    ...((setting.properties ?? []).length === 0 ? [] : [`property ${setting.properties?.join(', ')}`]),
  ];
  return ways.length === 0 ? '' : ` [${ways.join('; ')}]`;
}
