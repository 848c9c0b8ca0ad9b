/** Does the same with each item, so many at a time; ends with the first failure, once those under way have ended. */
export async function fewAtOnce<T>(
  items: readonly T[],
  few: number,
  act: (item: T) => Promise<unknown>,
): Promise<void> {
  for (let i = 0; i < items.length; i += few) {
    const outcomes = await Promise.allSettled(items.slice(i, i + few).map(act));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}
