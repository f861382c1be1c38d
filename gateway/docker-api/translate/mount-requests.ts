import { MountRequest, MountType } from "#proto/ctl/volumes/v1/volumes.ts";
import { invalidRequest } from "../query.ts";
import type { CreateBody, MountBody } from "./create-body.ts";

const PROPAGATIONS = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];

/** Ours, in the place where Docker has its options. */
const OWNER = /^(uid|gid)=(\d{1,10})$/;

/**
 * Docker's four ways to ask for a mount as one list: `Volumes` (`-v /path`), `Binds` (`-v source:/path`), `Tmpfs`
 * (`--tmpfs`) and `Mounts` (`--mount`). All but the last are marked by `createSource`, so that they can be shown as
 * they were asked for. Throws INVALID_ARGUMENT REQUEST_INVALID.
 */
export function mountRequests(body: CreateBody): MountRequest[] {
  const host = body.HostConfig;
  const requests = [
    ...host.Binds.map((bind) => bindRequest(bind, host.VolumeDriver)),
    ...Object.entries(host.Tmpfs).map(([target, options]) =>
      short({ type: MountType.TMPFS, target, tmpfsOptions: options === "" ? [] : options.split(",") }),
    ),
    ...host.Mounts.map(longRequest),
  ];
  const targets = new Set(requests.map(({ target }) => target));
  const anonymous = body.Volumes.filter((target) => !targets.has(target));
  return [
    ...requests,
    ...anonymous.map((target) => short({ type: MountType.VOLUME, target, driver: host.VolumeDriver })),
  ];
}

function short(request: Parameters<typeof MountRequest.fromPartial>[0]): MountRequest {
  if (!request.target?.startsWith("/")) {
    throw invalidRequest(`invalid mount path: '${request.target ?? ""}' mount path must be absolute`);
  }
  return MountRequest.fromPartial({ ...request, createSource: true });
}

function bindRequest(bind: string, driver: string): MountRequest {
  const [source = "", target = "", mode = "", ...rest] = bind.split(":");
  if (rest.length > 0 || target === "") throw invalidRequest(`invalid volume specification: '${bind}'`);
  const isHostPath = source.startsWith("/");
  const request = {
    type: isHostPath ? MountType.BIND : MountType.VOLUME,
    source,
    target,
    driver: isHostPath ? "" : driver,
    ...modeOf(mode),
  };
  if (!target.startsWith("/")) {
    throw invalidRequest(
      `invalid volume specification: '${bind}': invalid mount config for type "${isHostPath ? "bind" : "volume"}": invalid mount path: '${target}' mount path must be absolute`,
    );
  }
  return short(request);
}

function modeOf(mode: string) {
  let readOnly = false;
  let propagation = "";
  let noCopy = false;
  const owner: { uid?: number; gid?: number } = {};
  for (const option of mode.split(",")) {
    if (option === "ro") readOnly = true;
    else if (option === "nocopy") noCopy = true;
    else if (OWNER.test(option)) Object.assign(owner, ownerOf(option, mode));
    else if (PROPAGATIONS.includes(option)) propagation = option;
    // SELinux labels and the consistency of Docker's Mac version change nothing here
    else if (!["", "rw", "z", "Z", "consistent", "cached", "delegated"].includes(option)) {
      throw invalidRequest(`invalid mode: ${mode}`);
    }
  }
  return { readOnly, propagation, noCopy, ...owner };
}

function ownerOf(option: string, mode: string): Record<string, number> {
  const [, key = "", id = ""] = OWNER.exec(option) ?? [];
  if (Number(id) > 2 ** 32 - 2) throw invalidRequest(`invalid mode: ${mode}`);
  return { [key]: Number(id) };
}

function longRequest(mount: MountBody): MountRequest {
  if (!mount.Target.startsWith("/")) {
    throw invalidRequest(
      `invalid mount config for type "${mount.Type}": invalid mount path: '${mount.Target}' mount path must be absolute`,
    );
  }
  const common = { target: mount.Target, readOnly: mount.ReadOnly };
  switch (mount.Type) {
    case "bind":
      return MountRequest.fromPartial({
        ...common,
        type: MountType.BIND,
        source: absoluteSource(mount),
        propagation: mount.BindOptions.Propagation,
        createSource: mount.BindOptions.CreateMountpoint,
        recursive: recursionOf(mount),
      });
    case "volume":
    case "":
      return MountRequest.fromPartial({
        ...common,
        type: MountType.VOLUME,
        source: mount.Source,
        noCopy: mount.VolumeOptions.NoCopy,
        subpath: mount.VolumeOptions.Subpath,
        labels: mount.VolumeOptions.Labels,
        driver: mount.VolumeOptions.DriverConfig.Name,
        driverOptions: mount.VolumeOptions.DriverConfig.Options,
      });
    case "tmpfs":
      return MountRequest.fromPartial({ ...common, type: MountType.TMPFS, tmpfsOptions: tmpfsOptions(mount) });
    default:
      throw invalidRequest(`invalid mount config for type "${mount.Type}": mount type unknown`);
  }
}

function recursionOf({ BindOptions: options }: MountBody): string {
  if (options.NonRecursive) return "disabled";
  if (options.ReadOnlyNonRecursive) return "writable";
  return options.ReadOnlyForceRecursive ? "readonly" : "";
}

function absoluteSource({ Source }: MountBody): string {
  if (Source.startsWith("/")) return Source;
  throw invalidRequest(
    `invalid mount config for type "bind": invalid mount path: '${Source}' mount path must be absolute`,
  );
}

function tmpfsOptions({ TmpfsOptions: options }: MountBody): string[] {
  return [
    ...(options.SizeBytes > 0 ? [`size=${options.SizeBytes}`] : []),
    ...(options.Mode > 0 ? [`mode=${options.Mode.toString(8)}`] : []),
    ...options.Options.map((pair) => pair.join("=")),
  ];
}
