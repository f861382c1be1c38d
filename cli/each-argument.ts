import type { Context } from "./context.ts";
import { exitCode } from "./exit-code.ts";
import { describeFailure } from "./failure.ts";

/**
 * Does the same to every argument at once and tells in their order: what `work` answers on stdout, failures on stderr.
 * One that fails keeps no other from being done; the exit code is then 1.
 */
export async function eachArgument(
  args: readonly string[],
  { stdout, stderr }: Context,
  work: (argument: string) => Promise<string>,
): Promise<number> {
  let code: number = exitCode.ok;
  const results = await Promise.allSettled(args.map(work));
  for (const result of results) {
    if (result.status === "fulfilled") {
      if (result.value !== "") stdout.text(`${result.value}\n`);
      continue;
    }
    stderr.text(describeFailure(result.reason));
    code = exitCode.failed;
  }
  return code;
}
