import { randomBytes, randomUUID } from 'node:crypto';
import type { Random } from '../host.ts';

/** Numbers spread work and need speed only; bytes and uuids become keys and tokens, so they are unguessable. */
export const nodeRandom: Random = {
  float: () => Math.random(),
  int: (bound) => Math.floor(Math.random() * bound),
  bytes: (length) => new Uint8Array(randomBytes(length)),
  uuid: () => randomUUID(),
};
