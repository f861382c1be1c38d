import { expect } from "chai";
import type { ContainerMount, ContainerSpec } from "../../../../services/containers/spec/spec.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";
import { logText } from "./log-text.ts";
import { CRUN, openRooms, type Rooms, RUNC, startContainer } from "./rooms.ts";

for (const candidate of [CRUN, RUNC]) {
  describe(`what a container with ${candidate.kind} sees and may do`, () => {
    let rooms: Rooms;
    before(async () => {
      rooms = await openRooms(candidate);
    });
    after(() => rooms[Symbol.asyncDispose]());

    async function output(
      script: string,
      spec: Partial<ContainerSpec> = {},
      mounts: readonly ContainerMount[] = [],
    ): Promise<string> {
      await using container = await startContainer(rooms, ["sh", "-c", script], { spec, mounts });
      await container.ended();
      return logText(container);
    }

    it("has Docker's fourteen capabilities and a seccomp filter", async () => {
      const status = await output("grep -E '^(CapEff|CapBnd|CapInh|CapAmb|Seccomp):' /proc/self/status");
      expect(status.split("\n").map((line) => line.replace("\t", " "))).to.include.members([
        "CapEff: 00000000a80425fb",
        "CapBnd: 00000000a80425fb",
        "CapInh: 0000000000000000",
        "CapAmb: 0000000000000000",
        "Seccomp: 2",
      ]);
    });

    it("filters by the same program the second time, when it is not compiled again", async () => {
      for (const _ of [1, 2]) {
        const refused = await output("mount -t tmpfs x /tmp; unshare -n true; unshare -U true");
        expect(refused.match(/not permitted|permission denied/g)).to.have.length(3);
      }
    });

    it("lets a capability that was added through the filter, and no other", async () => {
      expect(await output("mount -t tmpfs x /tmp && echo mounted", { capAdd: ["SYS_ADMIN"] })).to.include("mounted");
      expect(await output("chmod 600 /tmp; mknod /tmp/x c 1 3 || echo no", { capDrop: ["ALL"] })).to.include("no");
    });

    it("takes effective capabilities from a user who is not root", async () => {
      expect(await output("grep CapEff /proc/self/status", { user: "alice" })).to.include("0000000000000000");
    });

    it("has no privileges to gain with no-new-privileges", async () => {
      const status = await output("grep NoNewPrivs /proc/self/status", { securityOptions: ["no-new-privileges"] });
      expect(status).to.equal("NoNewPrivs:\t1\n");
    });

    it("masks the host's secrets and does not let /proc/sys be written", async () => {
      const seen = await output("wc -c </proc/interrupts; echo 1 >/proc/sys/kernel/sysrq; echo b >/proc/sysrq-trigger");
      expect(seen).to.match(/^0\n/);
      expect(seen.match(/Read-only file system|can't create/g)).to.have.length(2);
    });

    it("may use the usual devices and make, but not use, others", async () => {
      const tried = await output("echo x >/dev/null && mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem");
      expect(tried).to.include("not permitted");
    });

    it("has processes, a host name and mounts of its own", async () => {
      const seen = await output("echo $$; hostname; cat /etc/hostname; mount | grep -c ' on / '", { hostname: "own" });
      expect(seen).to.equal("1\nown\nown\n1\n");
    });

    it("finds the files of /etc, Docker's environment and shared memory of 64 MB", async () => {
      const seen = await output("cat /etc/hosts /etc/resolv.conf; env; df -k /dev/shm | tail -1", {
        env: ["A=b c"],
        extraHosts: ["db:10.0.0.5", "gw:host-gateway"],
      });
      expect(seen).to.include("10.0.0.5\tdb\n").and.include("172.17.0.1\tgw\n").and.include("nameserver 127.0.0.11");
      expect(seen).to.include("PATH=/usr/local/sbin:").and.include("HOME=/root\n").and.include("A=b c\n");
      expect(seen).to.match(/shm\s+65536\s/);
    });

    it("runs as the user asked for, with his groups and home, in a directory that is made for it", async () => {
      const seen = await output("id; echo $HOME; pwd", { user: "alice", workingDir: "/srv/app" });
      expect(seen).to.match(/^uid=1000\(alice\) gid=1000\(alice\) groups=.*50\(staff\)/);
      expect(seen).to.include("/home/alice\n/srv/app\n");
    });

    it("keeps a read-only root and a read-only bind as they are, and a tmpfs writable", async () => {
      await using directory = await temporaryDirectory("bind");
      const mounts: ContainerMount[] = [
        { kind: "bind", source: directory.path, target: "/data", isReadOnly: true, propagation: "rprivate" },
        { kind: "tmpfs", target: "/scratch", options: ["size=1m", "exec"] },
      ];
      const seen = await output(
        "touch /x; touch /data/x; touch /scratch/x && mount | grep ' /scratch '",
        { readOnlyRootfs: true },
        mounts,
      );
      expect(seen.match(/Read-only file system/g)).to.have.length(2);
      expect(seen)
        .to.match(/tmpfs on \/scratch .*nosuid.*size=1024k/)
        .and.not.include("noexec");
    });

    it("gives a privileged container all that the host has", async () => {
      const seen = await output("grep -E 'Seccomp:|CapEff' /proc/self/status; mount -t tmpfs x /tmp && echo mounted", {
        privileged: true,
      });
      expect(seen).to.include("Seccomp:\t0").and.include("mounted").and.not.include("a80425fb");
    });
  });
}
