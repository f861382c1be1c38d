import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { type DockerPeer, startDocker } from "../../lab/docker.ts";
import { sharedEngine } from "../engine.ts";
import { looserThan, parseFacts } from "./facts.ts";

const PROBE = fileURLToPath(new URL("./probe.pl", import.meta.url));
/** The host's perl with what it needs, in both containers. */
const PERL = [
  ...["-v", "/usr:/usr:ro", "-v", "/usr/lib:/lib:ro", "-v", `${PROBE}:/probe.pl:ro`],
  ...(existsSync("/usr/lib64") ? ["-v", "/usr/lib64:/lib64:ro"] : []),
];
const NUMBERS =
  process.arch === "arm64"
    ? ["SYNC=81", "UNSHARE=97", "SOCKET=198", "PERSONALITY=92"]
    : ["SYNC=162", "UNSHARE=272", "SOCKET=41", "PERSONALITY=135"];

describe("a container is shut off as one of Docker's, or stricter", () => {
  const engine = sharedEngine({ images: ["busybox"] });
  const owned = new AsyncDisposableStack();
  let docker: DockerPeer;

  before(async function () {
    this.timeout(90_000);
    docker = owned.use(await startDocker({ ownNetwork: false }));
    const { layers } = await engine.registry.pushBusybox();
    await docker.importImage(layers[0]?.path ?? "", "busybox:latest", []);
  });
  after(async function () {
    this.timeout(60_000);
    await owned.disposeAsync();
  });

  const words = (flags: readonly string[]) => [
    ...["run", "--rm", "--network", "none", ...PERL, ...NUMBERS.flatMap((pair) => ["-e", pair]), ...flags],
    ...["busybox", "/usr/bin/perl", "/probe.pl"],
  ];
  const inCtl = async (...flags: string[]) => parseFacts(await engine.ok(...words(flags)));
  const inDocker = async (...flags: string[]) => parseFacts(await docker.run(...words(flags)));
  const looser = async (...flags: string[]) => {
    const [ours, theirs] = await Promise.all([inCtl(...flags), inDocker(...flags)]);
    expect(theirs.allowedCalls.size).to.be.greaterThan(100);
    return looserThan(ours, theirs);
  };

  it("by default: capabilities, filter, mounts, devices, and every system call", async () => {
    const theirs = await inDocker();
    expect(looserThan(await inCtl(), theirs)).to.deep.equal([]);
    // and one that is shut off less does not pass for it
    const open = await inCtl(
      "--cap-add",
      "SYS_ADMIN",
      "--security-opt",
      "seccomp=unconfined",
      "--device",
      "/dev/loop0",
    );
    expect(looserThan(open, theirs)).to.include.members([
      process.arch === "arm64" ? "syscall 40" : "syscall 165",
      "device /dev/loop0",
    ]);
  });

  it("as a user, without a root that can be written or new privileges", async () => {
    const flags = ["-u", "1000:1000", "--group-add", "7", "--read-only", "--security-opt", "no-new-privileges"];
    expect(await looser(...flags)).to.deep.equal([]);
  });

  it("with a capability more and one less", async () => {
    expect(await looser("--cap-add", "SYS_ADMIN", "--cap-drop", "MKNOD")).to.deep.equal([]);
  });

  it("with the host's namespaces", async () => {
    expect(await looser("--pid", "host", "--uts", "host", "--ipc", "host", "--cgroupns", "host")).to.deep.equal([]);
  });
});
