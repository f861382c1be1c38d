import type { ContainerSpec, ImageDefaults } from "../spec/spec.ts";

const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface EnvFacts {
  readonly hostname: string;
  readonly tty: boolean;
  readonly home: string;
}

/**
 * The environment in Docker's order: PATH, HOSTNAME and TERM first, then the image's, then the caller's; a later value
 * takes an earlier one's place. HOME comes last and only where nobody set it, from the user's line in /etc/passwd.
 */
export function environmentOf(spec: Pick<ContainerSpec, "env">, image: ImageDefaults, facts: EnvFacts): string[] {
  const base = [DEFAULT_PATH, `HOSTNAME=${facts.hostname}`, ...(facts.tty ? ["TERM=xterm"] : [])];
  const env = mergeEnvironment(base, [...image.env, ...spec.env]);
  return env.some((one) => one.startsWith("HOME=")) ? env : [...env, `HOME=${facts.home}`];
}

/** `NAME=value` sets, `NAME` alone takes away. */
export function mergeEnvironment(base: readonly string[], changes: readonly string[]): string[] {
  const byName = new Map<string, string>();
  for (const entry of [...base, ...changes]) {
    const end = entry.indexOf("=");
    if (end < 0) byName.delete(entry);
    else byName.set(entry.slice(0, end), entry);
  }
  return [...byName.values()];
}
