/**
 * Ends once all promise callbacks that can run have run, however many follow from each other: a turn of the loop
 * comes only when none is left. The one place where the simulation touches the machine, and it asks for no time.
 */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
