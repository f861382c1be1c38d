/** What probe.pl found in a container. */
export interface Facts {
  readonly status: ReadonlyMap<string, string>;
  /** Restrictions by target: ro, nosuid, nodev, noexec. */
  readonly mounts: ReadonlyMap<string, ReadonlySet<string>>;
  readonly devices: ReadonlySet<string>;
  /** Nodes that could be made and used. */
  readonly usedNodes: ReadonlySet<string>;
  /** System calls by number, and by what they were asked for. */
  readonly allowedCalls: ReadonlySet<string>;
}

export function parseFacts(text: string): Facts {
  const lines = text.split("\n").map((line) => line.trim().split(" "));
  const of = (kind: string) => lines.filter(([first]) => first === kind).map(([, ...rest]) => rest);
  const callsOf = (kind: string) =>
    of(kind)
      .filter(([, verdict]) => verdict === "allowed")
      .map(([name = ""]) => `${kind} ${name}`);
  return {
    status: new Map(of("status").map(([name = "", ...value]) => [name, value.join(" ")])),
    mounts: new Map(of("mount").map(([target = "", flags = ""]) => [target, new Set(flags.split(","))])),
    devices: new Set(of("device").map(([path = ""]) => path)),
    usedNodes: new Set(of("node").flatMap((words) => (words.at(-1) === "used" ? [words.slice(0, 3).join(" ")] : []))),
    allowedCalls: new Set([...callsOf("syscall"), ...callsOf("call")]),
  };
}

/** Everything that the first lets its process do and the second does not; nothing: it is as strict, or stricter. */
export function looserThan(ours: Facts, theirs: Facts): string[] {
  return [
    ...looserStatus(ours, theirs),
    ...looserMounts(ours, theirs),
    ...[...ours.devices].filter((path) => !theirs.devices.has(path)).map((path) => `device ${path}`),
    ...[...ours.usedNodes].filter((node) => !theirs.usedNodes.has(node)).map((node) => `node ${node}`),
    ...[...ours.allowedCalls].filter((call) => !theirs.allowedCalls.has(call)),
  ];
}

function looserStatus(ours: Facts, theirs: Facts): string[] {
  return [...theirs.status].flatMap(([name, value]) => {
    const own = ours.status.get(name) ?? "";
    const isLooser = name.startsWith("Cap") ? (BigInt(`0x${own}`) & ~BigInt(`0x${value}`)) !== 0n : own !== value;
    return isLooser ? [`${name} ${own}, not ${value}`] : [];
  });
}

/** A mount of ours may lack no restriction that the same place has in Docker; one that Docker has not must cover or bar. */
function looserMounts(ours: Facts, theirs: Facts): string[] {
  const lacking = [...theirs.mounts].flatMap(([target, flags]) => {
    const own = ours.mounts.get(target);
    if (own === undefined) return isBarred(target, ours) ? [] : [`no mount at ${target}`];
    // nothing in proc can be executed or be a device, whatever a mount of a part of it says (SB_I_NOEXEC, SB_I_NODEV)
    const counts = target.startsWith("/proc/") ? ["ro"] : ["ro", "nosuid", "nodev", "noexec"];
    const missing = counts.filter((flag) => flags.has(flag) && !own.has(flag));
    return missing.length === 0 ? [] : [`${target} without ${missing.join(",")}`];
  });
  const more = [...ours.mounts].filter(([target, flags]) => !theirs.mounts.has(target) && !flags.has("ro"));
  return [...lacking, ...more.map(([target]) => `writable mount at ${target}`)];
}

/** A mount above is read-only, and there is nothing mounted on it that would show what is below. */
function isBarred(target: string, { mounts }: Facts): boolean {
  const above = [...mounts].filter(([path]) => path !== "/" && target.startsWith(`${path}/`));
  return above.some(([, flags]) => flags.has("ro"));
}
