import type { Scene } from '../scenes.ts';
import { beating } from './beating.ts';
import { coldStart } from './cold-start.ts';
import { listeners } from './listeners.ts';
import { push } from './push.ts';

export const SCENES: readonly Scene[] = [listeners, push, beating, coldStart];
