import { stopSignal } from "../services/kit/boot.ts";
import { loadConfig, processSource } from "../services/kit/config.ts";
import { asCtlError } from "../services/kit/errors.ts";
import { runDaemon } from "./daemon.ts";
import { daemonHelp } from "./help.ts";
import { gatewaySettings } from "./settings.ts";
import { stopRunning } from "./single-instance.ts";
import { CTL_VERSION } from "./system/version.ts";

/** `ctld` runs the daemon in the foreground; `ctld stop` ends the one that runs. */
async function main(): Promise<number> {
  const { argv } = processSource();
  if (argv.includes("--help") || argv.includes("-h")) return say(daemonHelp());
  if (argv.includes("--version") || argv.includes("-v")) return say(`ctld version ${CTL_VERSION}\n`);
  const read = () => loadConfig(gatewaySettings, processSource());
  const { values, positionals } = read();
  const command = positionals[0] ?? "run";
  if (command === "stop") {
    const wasRunning = await stopRunning(values.run);
    process.stderr.write(wasRunning ? "ctld stopped; containers go on running\n" : "ctld does not run\n");
    return 0;
  }
  if (command !== "run" || positionals.length > 1) {
    process.stderr.write(`ctld: unknown command "${positionals.join(" ")}"; use: ctld [--key VALUE …] [run|stop]\n`);
    return 2;
  }
  await runDaemon(values, () => read().values, stopSignal());
  return 0;
}

function say(text: string): number {
  process.stdout.write(text);
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  const { message, fix, cause } = asCtlError(error, "run ctld");
  process.stderr.write(`ctld: ${message}\n${fix === undefined ? "" : `  fix: ${fix}\n`}`);
  if (!(error instanceof Error && error.name === "CtlError"))
    process.stderr.write(`${cause instanceof Error ? cause.stack : cause}\n`);
  process.exitCode = 1;
}
// what is left now is a timer or a socket that some library forgot; nobody waits for it
setTimeout(() => process.exit(), 200).unref();
