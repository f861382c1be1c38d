import { CtlError } from "../../kit/errors.ts";
import type { ContainerSpec, ImageDefaults } from "../spec/spec.ts";

/**
 * The program and its arguments, by Docker's rule: an entrypoint that the caller names (an empty one too) also takes
 * the image's command away. Throws INVALID_ARGUMENT NO_COMMAND.
 */
export function commandOf(spec: Pick<ContainerSpec, "entrypoint" | "command">, image: ImageDefaults): string[] {
  const isOverridden = spec.entrypoint !== undefined;
  const entrypoint = spec.entrypoint ?? image.entrypoint;
  const command = spec.command.length > 0 || isOverridden ? spec.command : image.command;
  const args = [...entrypoint, ...command];
  if (args.length > 0) return args;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "NO_COMMAND",
    what: "create the container",
    why: "neither the image nor the caller says which command to run",
    fix: "name one behind the image: ctl run IMAGE COMMAND",
  });
}
