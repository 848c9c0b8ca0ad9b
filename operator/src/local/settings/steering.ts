import { anyText, type Setting, wholeNumber, yesOrNo } from '@nacos-kube/core/settings.ts';
import { TIMEOUT_SECONDS_MAX } from '../control.ts';

const WHERE = {
  data: {
    flag: 'data',
    value: 'DIR',
    env: [],
    default: 'data',
    help: 'directory that the running up was given',
    parse: anyText,
  },
  name: {
    flag: 'name',
    value: 'CLUSTER',
    env: [],
    help: 'which cluster, when several run in the directory',
    parse: anyText,
  },
} as const satisfies Readonly<Record<string, Setting<unknown>>>;

const TIMEOUT = {
  flag: 'timeout',
  value: 'SECONDS',
  env: [],
  default: '120',
  parse: wholeNumber(1, TIMEOUT_SECONDS_MAX),
};

export const STATUS_SETTINGS = {
  ...WHERE,
  json: { flag: 'json', value: undefined, env: [], default: 'false', help: 'print JSON', parse: yesOrNo },
} as const satisfies Readonly<Record<string, Setting<unknown>>>;

export const SCALE_SETTINGS = {
  ...WHERE,
  timeout: { ...TIMEOUT, help: 'how long to wait until the members are up; it goes on after that' },
} as const satisfies Readonly<Record<string, Setting<unknown>>>;

export const RESTART_SETTINGS = {
  ...WHERE,
  timeout: { ...TIMEOUT, help: 'how long each member may take to come back; the first that takes longer ends it' },
} as const satisfies Readonly<Record<string, Setting<unknown>>>;
