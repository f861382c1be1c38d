import type { Known } from "../known.ts";

/** ctl answers as Docker 28 does; Debian's dockerd is 20.10. */
export const NEWER_DOCKER: readonly Known[] = [
  { reason: "26 calls the default network by its name", at: /HostConfig\.NetworkMode$/, docker: /"default"/ },
  { reason: "fields since 20.10", at: /\.(GwPriority|DNSNames|EnableIPv4)$/, docker: /absent/ },
  { reason: "kernel memory limits went with 24", at: /KernelMemory(TCP)?$/ },
  { reason: "more paths are masked since 25", at: /\.MaskedPaths$/ },
  { reason: "what bridge-nf does is not told any more since 28", at: /^BridgeNf/ },
  { reason: "what registries may distribute is not told any more since 28", at: /AllowNondistributable/ },
  { reason: "IPv6's loopback is insecure too since 24", at: /InsecureRegistryCIDRs$/ },
  { reason: "seccomp's default profile is called builtin since 23", at: /^(SecurityOptions)?\[\d\]$/, ctl: /builtin/ },
  { reason: "other words since 23 for a container that runs", call: /^rm /, at: /stderr/, ctl: /container is running/ },
  {
    reason: "other words since 25",
    at: /stderr/,
    ctl: /unknown policy 'nonsense'|nvalid pool request|nvalid isolation|nvalid restart policy/,
  },
  { reason: "an internal network has no gateway since 28", at: /Networks\.lan\.Gateway$/, ctl: /""/ },
  { reason: "127 for a program that is not there since 23", call: /^exec /, at: /exit/, docker: /126/, ctl: /127/ },
  { reason: "a sandbox that is gone has no id since 25", at: /NetworkSettings\.Sandbox(ID|Key)$/, ctl: /""/ },
  { reason: "a filter that there is not is refused since 23", call: /^events .*nonsense=1/, at: /exit|stderr/ },
  { reason: "a network's name has rules since 28", call: /^network create ("bad name"|"")/ },
  { reason: "and so none is listed", call: /^network ls --filter/, at: /stdout/, docker: /bad name/ },
  { reason: "what a container's init layer would hold is not told twice", at: /LowerDir|UpperDir|WorkDir/ },
];
