/** One thing that whoever runs a program can choose, and every way to say it. */
export interface Setting<T> {
  /** Long flag without dashes, e.g. `data`. */
  readonly flag: string;
  /** What stands for the value in the help, e.g. `DIR`; undefined: a switch without value. */
  readonly value: string | undefined;
  /** Environment names, the first that is set counts. */
  readonly env: readonly string[];
  /** Names in a properties file, the first that is set counts. */
  readonly properties?: readonly string[];
  readonly help: string;
  /** Text that is parsed when nobody says anything; undefined: the setting is then absent. */
  readonly default?: string;
  /** Not shown when problems are reported. */
  readonly isSecret?: boolean;
  /** Throws an `Error` that says what would be right; the reader adds where the text came from. */
  readonly parse: (text: string) => T;
}

export type SettingsTable = Readonly<Record<string, Setting<unknown>>>;

/** Values by name; absent ones are undefined. */
export type SettingsOf<T extends SettingsTable> = {
  readonly [K in keyof T]: T[K] extends Setting<infer V>
    ? T[K] extends { readonly default: string }
      ? V
      : V | undefined
    : never;
};

export interface SettingsSources {
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly properties: ReadonlyMap<string, string>;
}

/** Every problem at once, each with what to do. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(
      `${problems.length === 1 ? 'a setting is' : `${problems.length} settings are`} wrong:\n  ${problems.join('\n  ')}`,
    );
    this.problems = problems;
  }
}

/** Defaults < properties < environment < flags; parsed once, frozen. Throws `SettingsError`. */
export function readSettings<T extends SettingsTable>(table: T, sources: SettingsSources): SettingsOf<T> {
  const { values, problems } = takeSettings(table, sources);
  if (problems.length > 0) throw new SettingsError(problems);
  return values;
}

/** What was said, and every problem with it: one of a wrong text has its default, so that more can be looked at. */
export function takeSettings<T extends SettingsTable>(
  table: T,
  sources: SettingsSources,
): {
  readonly values: SettingsOf<T>;
  readonly problems: readonly string[];
  readonly wrong: ReadonlySet<keyof T>;
  /** What has its default because nobody said anything. */
  readonly unsaid: ReadonlySet<keyof T>;
} {
  const problems: string[] = [];
  const unsaid = new Set<keyof T>();
  const wrong = new Set<keyof T>();
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(table)) {
    const said = find(setting, sources);
    if (said === undefined) continue;
    if (said.isDefault) unsaid.add(name);
    try {
      values[name] = setting.parse(said.text);
    } catch (error) {
      const shown = setting.isSecret ? '' : ` ${JSON.stringify(said.text)}`;
      problems.push(`${said.where}${shown}: ${(error as Error).message}`);
      wrong.add(name);
      if (setting.default !== undefined) values[name] = setting.parse(setting.default);
    }
  }
  return { values: Object.freeze(values) as SettingsOf<T>, problems, wrong, unsaid };
}

function find(
  setting: Setting<unknown>,
  { flags, env, properties }: SettingsSources,
): { text: string; where: string; isDefault?: true } | undefined {
  const flag = flags[camelCase(setting.flag)];
  if (flag !== undefined) return { text: String(flag), where: `--${setting.flag}` };
  for (const name of setting.env) {
    const text = env[name];
    if (text !== undefined && text !== '') return { text, where: name };
  }
  for (const name of setting.properties ?? []) {
    const text = properties.get(name);
    if (text !== undefined && text !== '') return { text, where: name };
  }
  if (setting.default === undefined) return undefined;
  return { text: setting.default, where: `default of --${setting.flag}`, isDefault: true };
}

/** `member-list` is `memberList` among parsed flags. */
export function camelCase(flag: string): string {
  return flag.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** `key=value` lines of a Java properties file: `#` and `!` start comments; no escapes, no continuation. */
export function parseProperties(content: string): ReadonlyMap<string, string> {
  const properties = new Map<string, string>();
  for (const line of content.split(/\r?\n/)) {
    const [, name, value] = /^\s*([^#!\s=:][^=:\s]*)\s*[=:]\s*(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) properties.set(name, value);
  }
  return properties;
}

// ------------------------------------------------------------------------------------------ kinds of values

/** An empty one is a slip, as of a script whose variable is not set. */
export function anyText(text: string): string {
  if (text === '') throw new Error('must not be empty');
  return text;
}

export function portNumber(text: string): number {
  const port = wholeNumber(1, 65_535)(text);
  return port;
}

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(number >= min && number <= max)) throw new Error(`must be a whole number from ${min} to ${max}`);
    return number;
  };
}

export function oneOf<const T extends string>(...choices: readonly T[]): (text: string) => T {
  return (text) => {
    const choice = choices.find((one) => one === text);
    if (choice === undefined) throw new Error(`must be one of ${choices.join(', ')}`);
    return choice;
  };
}

export function yesOrNo(text: string): boolean {
  if (/^(true|yes|on|1)$/i.test(text)) return true;
  if (/^(false|no|off|0)$/i.test(text)) return false;
  throw new Error('must be true or false');
}

/** Separated by commas or white space; empty pieces are left out. */
export function listOf(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((piece) => piece !== '');
}

// --------------------------------------------------------------------------------------- what every program has

export const LOG_SETTINGS = {
  logLevel: {
    flag: 'log-level',
    value: 'LEVEL',
    env: ['NACOS_KUBE_LOG_LEVEL'],
    default: 'info',
    help: 'debug, info, warn or error',
    parse: oneOf('debug', 'info', 'warn', 'error'),
  },
  logFormat: {
    flag: 'log-format',
    value: 'FORMAT',
    env: ['NACOS_KUBE_LOG_FORMAT'],
    default: 'text',
    help: 'text, or json with one object a line',
    parse: oneOf('text', 'json'),
  },
} as const satisfies Readonly<Record<string, Setting<unknown>>>;
