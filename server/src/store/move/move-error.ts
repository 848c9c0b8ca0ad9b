/** Why a store could not be moved, for the one who asked for it: no stack, what to do where that is known. */
export class MoveError extends Error {
  override readonly name = 'MoveError';
}

/** Asked to, between two pages. */
export class MoveStoppedError extends Error {
  override readonly name = 'MoveStoppedError';
}
