import type { TerminalSize } from "../../kit/linux/pty.ts";
import { capabilitiesOf, processCapabilities } from "../bundle/capabilities.ts";
import { mergeEnvironment } from "../bundle/env.ts";
import type { HostFacts } from "../bundle/host-facts.ts";
import { consoleSize, type OciConfig, type OciProcess } from "../bundle/oci-config.ts";
import { rootFiles } from "../bundle/root-files.ts";
import { resolveUser } from "../bundle/user.ts";

/** What a caller asks an exec to be. Empty texts and lists: the container's own. */
export interface ExecSpec {
  readonly command: readonly string[];
  readonly env: readonly string[];
  readonly workingDir: string;
  readonly user: string;
  readonly privileged: boolean;
  readonly tty: boolean;
  /** Of its terminal, before it writes its first byte. Undefined: nobody has said. */
  readonly size?: TerminalSize | undefined;
}

/**
 * The OCI process of an exec: the container's own with what the caller says in its place. A user is looked up in the
 * container's root as it is now. Throws INVALID_ARGUMENT USER_UNKNOWN, GROUP_UNKNOWN.
 */
export async function execProcess(
  spec: ExecSpec,
  container: Pick<OciConfig, "process" | "root">,
  facts: HostFacts,
): Promise<OciProcess> {
  const { process } = container;
  const { user, home } = await userOf(spec, container);
  const capabilities = spec.privileged
    ? capabilitiesOf({ capAdd: [], capDrop: [], privileged: true }, facts.capabilities)
    : (process.capabilities?.bounding ?? []);
  const { consoleSize: _, ...inherited } = process; // the container's own terminal's
  const env = mergeEnvironment([...process.env, ...(spec.tty ? ["TERM=xterm"] : [])], spec.env);
  return {
    ...inherited,
    terminal: spec.tty,
    ...(spec.tty && spec.size !== undefined ? { consoleSize: consoleSize(spec.size) } : {}),
    user,
    args: spec.command,
    env: home === undefined ? env : mergeEnvironment(env, [`HOME=${home}`]),
    cwd: spec.workingDir || process.cwd,
    capabilities: processCapabilities(capabilities, user.uid),
  };
}

/** Undefined home: nobody asked for another user, so the container's HOME stays. */
async function userOf(spec: ExecSpec, { process, root }: Pick<OciConfig, "process" | "root">) {
  if (spec.user === "") return { user: process.user, home: undefined };
  const { home, ...user } = await resolveUser(spec.user, [], rootFiles(root.path));
  const isHomeSaid = spec.env.some((one) => one.startsWith("HOME="));
  return { user, home: isHomeSaid ? undefined : home };
}
