import { randomBytes } from "node:crypto";
import { lstat, readlink, rename, symlink, unlink } from "node:fs/promises";
import { CtlError } from "../services/kit/errors.ts";

/**
 * A link at `path` (/run/docker.sock) to our socket, where clients that know no DOCKER_HOST look. Made over a link that
 * leads nowhere or already to us, never over what somebody else has there. Disposing takes it away if it is still ours;
 * one that a crash left behind is found and kept by the next start.
 * Throws FAILED_PRECONDITION DOCKER_SOCKET_TAKEN, DOCKER_SOCKET_REFUSED.
 */
export async function linkDockerSocket(path: string, socket: string): Promise<AsyncDisposable> {
  if ((await targetOf(path)) !== socket) {
    if (!(await isFree(path))) throw taken(path);
    const own = `${path}.${randomBytes(3).toString("hex")}`;
    try {
      await symlink(socket, own);
      await rename(own, path);
    } catch (cause) {
      throw refused(path, cause);
    }
  }
  return {
    [Symbol.asyncDispose]: async () => {
      if ((await targetOf(path)) === socket) await unlink(path).catch(() => {});
    },
  };
}

/** Undefined: it is no link. */
async function targetOf(path: string): Promise<string | undefined> {
  return readlink(path).catch(() => undefined);
}

/** Nothing is there, or a link of a daemon that is gone. */
async function isFree(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return true;
  const target = await targetOf(path);
  return target !== undefined && (await lstat(target).catch(() => undefined)) === undefined;
}

function taken(path: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "DOCKER_SOCKET_TAKEN",
    what: `serve Docker's clients at ${path}`,
    why: "something else is there, perhaps dockerd's own socket",
    fix: "stop dockerd and remove it, or leave the setting docker-socket out and set DOCKER_HOST for clients",
  });
}

function refused(path: string, cause: unknown): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "DOCKER_SOCKET_REFUSED",
    what: `serve Docker's clients at ${path}`,
    why: cause instanceof Error ? cause.message : String(cause),
    fix: "choose another path for the setting docker-socket",
    cause,
  });
}
