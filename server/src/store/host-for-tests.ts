import type { Host, Log } from '@nacos-kube/core/host/host.ts';
import { createNodeHost } from '@nacos-kube/core/host/node/node-host.ts';

export interface TestHost extends Host {
  /** What was logged, level first. */
  readonly lines: readonly string[];
}

/** This machine, for the engines are real; what is logged is kept, and so are failures in the background. */
export function createTestHost(name = 'test'): TestHost {
  const lines: string[] = [];
  const line = (level: string) => (message: string, facts?: object) => {
    const texts = Object.entries(facts ?? {}).map(([name, fact]) => `${name}=${fact}`);
    lines.push([level, message, ...texts].join(' '));
  };
  const log: Log = {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    area: () => log,
  };
  return {
    ...createNodeHost({ name, logLevel: 'error', logFormat: 'text' }),
    log,
    background(what, work) {
      work.catch((error: Error) => lines.push(`error background ${what} ${error.stack}`));
    },
    lines,
  };
}
