/** Why a store could not be moved, for the one who asked for it: no stack, what to do where that is known. */
export class MoveError extends Error {
  override readonly name: string = 'MoveError';
}

/** Asked to, between two pages. */
export class MoveStoppedError extends Error {
  override readonly name = 'MoveStoppedError';
}

/** What changed in the source is not known any more: nothing can be gone on with. */
export class FeedGapError extends MoveError {
  override readonly name = 'FeedGapError';
}
