/** The one scenario of the real clients, as tests, for whatever target a suite has started. */
import { after, before, describe, test } from 'node:test';
import { CONFIG_STEPS } from './config-steps.ts';
import { missingForJava } from './java/build.ts';
import { NAMING_STEPS, type Step } from './naming-steps.ts';
import { type ScenarioTarget, Stage } from './stage.ts';

export type { Listener, ScenarioTarget } from './stage.ts';

/** What the clients need and this machine has not, for `requireOrFail`. */
export function missingForClients(): string[] {
  return missingForJava();
}

/** To be called inside a `describe`; the target is made when the tests start, and may be closed by the suite after. */
export function clientsWork(
  openTarget: () => Promise<ScenarioTarget>,
  options: { readonly skip?: string | false } = {},
) {
  describe('the Java client and npm nacos', { skip: options.skip ?? false }, () => {
    let stage: Stage;
    before(async () => {
      stage = await Stage.open(await openTarget());
    });
    after(async () => {
      await stage?.close();
    });
    steps('registry', NAMING_STEPS);
    steps('configuration', CONFIG_STEPS);

    function steps(title: string, table: readonly Step[]) {
      describe(title, () => {
        for (const step of table)
          test(step.name, async (context) => {
            if (step.needs === 'listener' && !stage.target.listener) context.skip('no port that members can check');
            else await step.run(stage);
          });
      });
    }
  });
}
