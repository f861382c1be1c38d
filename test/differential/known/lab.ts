import type { Known } from "../known.ts";

const OFFLINE = /dial tcp|network is unreachable|connection refused/;

/** What the place in which both run makes different. */
export const LAB: readonly Known[] = [
  { reason: "dockerd goes on to Docker Hub where the mirror has nothing, and there is no way out", docker: OFFLINE },
  {
    reason: "beside its error about Docker Hub dockerd had begun to tell of the pull",
    call: /^pull --platform linux\/arm64/,
    at: /stdout/,
  },
  {
    reason: "Debian's runc wants capabilities that the lab's host does not have; ctl gives what there is",
    call: /--privileged /,
    at: /exit|stdout|stderr/,
  },
  { reason: "the lab has the older cgroups, where only Docker's own default is the host's", at: /CgroupnsMode$/ },
  { reason: "and where Docker says false of what the newer cgroups have not", at: /OomKillDisable$/, ctl: /null/ },
  { reason: "as the source of the daemon's own limits says", call: /ulimit -a/, at: /stdout/ },
  { reason: "both have a directory of their own", at: /^DockerRootDir$/ },
  { reason: "each has its own bridge", at: /Options\.com\.docker\.network\.bridge\.name$/ },
  { reason: "a mount above its own root is dockerd's slave", at: /Mounts\[\d\]\.Propagation$/, docker: /rslave/ },
  { reason: "dockerd remembers its last 256 events", call: /^events .*volume=data/, at: /stdout/ },
  { reason: "dockerd's resolver waits for servers that are not there", call: /nslookup nope\.invalid/, at: /stdout/ },
  { reason: "dockerd sees that it is in a namespace", call: /^info/, at: /OperatingSystem|stdout/ },
];
