import type { Scene } from '../scenes.ts';
import { beating } from './beating.ts';
import { coldStart } from './cold-start.ts';
import { listeners } from './listeners.ts';
import { push } from './push.ts';
import { lag, traffic } from './replication.ts';
import { joining, threeMembers } from './replication-members.ts';
import { rolling } from './replication-rolling.ts';
import { simulation } from './simulation.ts';
import { storeScenes } from './store.ts';
import { catchingUp, fullDump } from './store-catching-up.ts';

export const SCENES: readonly Scene[] = [
  ...[listeners, push, beating, coldStart],
  ...[lag, traffic, joining, threeMembers, rolling, simulation],
  ...(await storeScenes()),
  ...[fullDump, catchingUp],
];
