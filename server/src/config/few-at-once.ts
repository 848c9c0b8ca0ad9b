/** Does the same with each item, so many at a time; ends with the first failure. */
export async function fewAtOnce<T>(
  items: readonly T[],
  few: number,
  act: (item: T) => Promise<unknown>,
): Promise<void> {
  for (let i = 0; i < items.length; i += few) await Promise.all(items.slice(i, i + few).map(act));
}
