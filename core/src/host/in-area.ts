import type { Host } from './host.ts';

/** The same host for one part of a program, whose lines carry its area and follow the level of that. */
export function inArea(host: Host, area: string): Host {
  const { name, clock, random, network, disk, log, logLevels, machine } = host;
  return {
    ...{ name, clock, random, network, disk, logLevels, machine },
    log: log.area(area),
    background: (workName, work) => host.background(workName, work),
  };
}
