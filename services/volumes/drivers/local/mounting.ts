import { lookup } from "node:dns/promises";
import { raceSignal } from "../../../kit/deadlines.ts";
import { CtlError } from "../../../kit/errors.ts";
import { lastErrno, loadLibc, SyscallError } from "../../../kit/linux/libc.ts";
import { bindUnmount, MountFlag } from "../../../kit/linux/mount.ts";
import { readMountinfo } from "../../../kit/linux/mountinfo.ts";
import { attribute } from "../../../kit/telemetry/attributes.ts";
import { inSpan } from "../../../kit/telemetry/trace.ts";
import type { LocalMount } from "./options.ts";

/** Mounts what a volume's options say. */
export interface Mounting {
  /** Nothing when something is mounted there already. Throws FAILED_PRECONDITION VOLUME_MOUNT_REFUSED. */
  mount(mount: LocalMount, target: string, signal: AbortSignal): Promise<void>;
  /** Nothing when nothing is mounted there. Throws FAILED_PRECONDITION VOLUME_BUSY. */
  unmount(target: string): Promise<void>;
}

/** Flags that a bind mount gets by a remount alone, mount(2). */
const BIND_FLAGS = MountFlag.bind | MountFlag.recursive;

export function createMounting(): Mounting {
  const mount = mountInPool();
  const unmount = bindUnmount();
  return {
    mount: async (wanted, target, signal) => {
      if (await isMounted(target)) return;
      await inSpan("volume.mount", { attributes: { [attribute.path]: target } }, async () => {
        try {
          await mountWhole(wanted, target, mount, signal);
        } catch (error) {
          await unmount(target); // never half of what was asked for: writable where read-only was wanted
          throw mountRefused(wanted, error);
        }
      });
    },
    unmount: async (target) => {
      try {
        // a mount may have been put over ours
        while (await isMounted(target)) await unmount(target);
      } catch (cause) {
        throw volumeBusy(target, "it could not be unmounted", cause);
      }
    },
  };
}

async function mountWhole(wanted: LocalMount, target: string, mount: PoolMount, signal: AbortSignal): Promise<void> {
  const data = await withAddress(wanted.data, signal);
  await raceSignal(mount({ ...wanted, target, data }), signal, `mount ${wanted.device}`);
  const restricted = wanted.flags & ~BIND_FLAGS;
  if (!wanted.isBind || restricted === 0) return;
  await mount({ ...wanted, target, data, flags: MountFlag.bind | MountFlag.remount | restricted });
}

export async function isMounted(path: string): Promise<boolean> {
  return (await readMountinfo()).some((entry) => entry.mountPoint === path);
}

type PoolMount = (request: Omit<LocalMount, "isBind"> & { readonly target: string }) => Promise<void>;

/** mount(2) on libuv's pool: a server that does not answer keeps one of its threads, never the service. */
function mountInPool(): PoolMount {
  const call = loadLibc().func("int mount(const char *, const char *, const char *, unsigned long, const char *)");
  return async ({ device, target, type, flags, data }) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    call.async(device, target, type, flags, data, (error: unknown, result: number) => {
      if (error) reject(error);
      else if (result === 0) resolve();
      else reject(new SyscallError("mount", lastErrno(), `${device} on ${target}`));
    });
    await promise;
  };
}

/** The kernel's NFS wants addresses in `addr=`, people write names: Docker resolves them too. */
async function withAddress(data: string, signal: AbortSignal): Promise<string> {
  const name = /(?:^|,)addr=([^,]+)/.exec(data)?.[1];
  if (name === undefined) return data;
  const { address } = await raceSignal(lookup(name), signal, `resolve ${name}`);
  return data.replace(`addr=${name}`, `addr=${address}`);
}

function mountRefused({ device, type }: LocalMount, error: unknown): unknown {
  if (error instanceof CtlError) return error;
  return new CtlError("FAILED_PRECONDITION", {
    reason: "VOLUME_MOUNT_REFUSED",
    what: `mount ${device} (${type}) for the volume`,
    why: error instanceof Error ? error.message : String(error),
    fix: "look at the volume's options (ctl volume inspect); dmesg may say more",
    cause: error,
  });
}

export function volumeBusy(path: string, why: string, cause?: unknown): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "VOLUME_BUSY",
    what: `free ${path}`,
    why,
    fix: `see what uses it (findmnt -R ${path}; fuser -m ${path}), end that, try again`,
    cause,
  });
}
