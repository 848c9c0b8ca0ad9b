import type { Scene } from '../scenes.ts';
import { listeners } from './listeners.ts';
import { push } from './push.ts';

export const SCENES: readonly Scene[] = [listeners, push];
