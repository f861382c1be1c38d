import { appendFileSync } from "node:fs";
import Mocha from "mocha";

/**
 * Mocha's own report, and this suite's counts as a line of $CTL_TEST_COUNTS: several suites make one sum at the end.
 */
export default class SummedReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures, pending } = this.stats;
      const file = process.env["CTL_TEST_COUNTS"];
      if (file !== undefined) appendFileSync(file, `${passes} ${failures} ${pending}\n`);
    });
  }
}
