import { expect } from "chai";
import { CtlError } from "../../../services/kit/errors.ts";
import {
  containerId,
  hostId,
  hostRoot,
  isSameMapping,
  mapText,
  OVERFLOW_ID,
} from "../../../services/kit/linux/user-mapping.ts";
import { parseUserMapping, type SubordinateFiles } from "../../../services/kit/userns-remap.ts";

const FILES: SubordinateFiles = {
  passwd: "root:x:0:0::/root:/bin/sh\nctlremap:x:990:990::/:/bin/false\nann:x:1000:1000::/home/ann:/bin/sh\n",
  group: "root:x:0:\nctlremap:x:990:\nstaff:x:50:ann\n",
  subuid: "ann:100000:65536\nctlremap:200000:65536\n1000:400000:10\n",
  subgid: "ctlremap:300000:65536\nstaff:500000:65536\nann:100000:65536\n",
};

describe("userns-remap", () => {
  const of = (setting: string, files: Partial<SubordinateFiles> = {}) =>
    parseUserMapping(setting, { ...FILES, ...files });

  it("is read as Docker's: default, a user, a user and a group, by name or number, all of its ranges", () => {
    expect(of("default")).to.deep.equal({
      uids: [{ containerID: 0, hostID: 200_000, size: 65_536 }],
      gids: [{ containerID: 0, hostID: 300_000, size: 65_536 }],
    });
    const ann = [
      { containerID: 0, hostID: 100_000, size: 65_536 },
      { containerID: 65_536, hostID: 400_000, size: 10 },
    ];
    expect(of("ann").uids).to.deep.equal(ann);
    expect(of("1000").uids).to.deep.equal(ann);
    expect(of("ann:staff").gids).to.deep.equal([{ containerID: 0, hostID: 500_000, size: 65_536 }]);
    expect(of("ann:50").gids).to.deep.equal(of("ann:staff").gids);
  });

  it("is refused with what is missing, and what to do about it", () => {
    for (const [setting, files, why, fix] of [
      ["bob", {}, "no user bob", "useradd"],
      ["ann:wheel", {}, "no group wheel", "groupadd"],
      ["a:b:c", {}, "neither default nor", "default"],
      [":staff", {}, "neither default nor", "default"],
      ["ann:", {}, "neither default nor", "default"],
      ["default", { subuid: "" }, "/etc/subuid has no range for ctlremap", "usermod --add-subuids"],
      ["default", { subgid: "" }, "/etc/subgid has no range for ctlremap", "usermod --add-subgids"],
      ["ann", { subuid: "ann:x:65536\n" }, "is no range", "NAME:FIRST:COUNT"],
      ["ann", { subuid: "ann:100000:0\n" }, "is no range", "NAME:FIRST:COUNT"],
      ["ann", { subuid: "ann:4294967290:65536\n" }, "is no range", "NAME:FIRST:COUNT"],
      ["ann", { subuid: "ann:0:65536\n" }, "the host's root", "100000"],
    ] as const) {
      const error = thrownBy(() => of(setting, files));
      expect(error, setting).to.include({ code: "FAILED_PRECONDITION", reason: "USERNS_REMAP_REFUSED" });
      expect(error.why).to.contain(why);
      expect(error.fix).to.contain(fix);
    }
  });

  it("takes ids in and out, over all ranges, and what has no counterpart is nobody's", () => {
    const { uids } = of("ann");
    expect([0, 65_535, 65_536, 65_545].map((id) => hostId(uids, id))).to.deep.equal([
      100_000, 165_535, 400_000, 400_009,
    ]);
    expect(hostId(uids, 65_546)).to.equal(undefined);
    expect([100_000, 165_535, 400_009].map((id) => containerId(uids, id))).to.deep.equal([0, 65_535, 65_545]);
    for (const id of [0, 99_999, 165_536, 400_010]) expect(containerId(uids, id)).to.equal(OVERFLOW_ID);
    expect(hostRoot(of("default"))).to.deep.equal({ uid: 200_000, gid: 300_000 });
    expect(mapText(uids)).to.equal("0 100000 65536\n65536 400000 10\n");
  });

  it("is the same by its numbers, in whatever order a row kept their names", () => {
    const mapping = of("default");
    const kept = JSON.parse(
      '{"gids":[{"size":65536,"hostID":300000,"containerID":0}],"uids":[{"hostID":200000,"size":65536,"containerID":0}]}',
    );
    expect(isSameMapping(mapping, kept)).to.equal(true);
    expect(isSameMapping(mapping, of("ann"))).to.equal(false);
    expect(isSameMapping(mapping, undefined)).to.equal(false);
  });
});

function thrownBy(work: () => unknown): CtlError {
  try {
    work();
  } catch (error) {
    if (error instanceof CtlError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
