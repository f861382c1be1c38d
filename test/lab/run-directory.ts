/**
 * Where this run of the tests keeps what its tests share, and the name that everything of it on the host begins with.
 * test/lab/mocha-hooks.ts sets both before the first test, and clears up behind the last one.
 */
export interface TestRun {
  readonly directory: string;
  /** Five characters; an instance's name begins with it. */
  readonly name: string;
}

export function testRun(): TestRun {
  const directory = process.env["CTL_TEST_DIRECTORY"];
  const name = process.env["CTL_TEST_NAME"];
  if (directory === undefined || name === undefined) {
    throw new Error("no test run is under way: start tests with mocha, whose hooks prepare one");
  }
  return { directory, name };
}
