/** The machine is looked at now and then: signals and messages to the one who runs the simulation get through. */
const TURNS_PER_LOOK = 1_000;

let turns = 0;

/**
 * Ends once all promise callbacks that can run have run, however many follow from each other: what is left for the
 * next tick comes only when none is left. The one place where the simulation touches the machine, and it asks for no
 * time.
 */
export function turn(): Promise<void> {
  turns = (turns + 1) % TURNS_PER_LOOK;
  return new Promise((resolve) => {
    if (turns === 0) setImmediate(resolve);
    else process.nextTick(resolve);
  });
}
