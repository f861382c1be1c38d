import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { devicesOf } from "../../../../services/containers/bundle/devices.ts";
import type { OciConfig } from "../../../../services/containers/bundle/oci-config.ts";
import { cdiNamesOf } from "../../../../services/containers/cdi/device-requests.ts";
import { findCdiDevices } from "../../../../services/containers/cdi/find-devices.ts";
import { injectDevices } from "../../../../services/containers/cdi/inject.ts";
import { rejection } from "../../../lab/rejection.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";

describe("devices", () => {
  it("are the usual ones, those asked for, and what rules allow", async () => {
    const node = { hostPath: "/dev/null", containerPath: "/dev/nil", permissions: "r" };
    const { nodes, rules } = await devicesOf({
      devices: [node],
      deviceCgroupRules: ["c 42:* rw", "b 8:1 m"],
      privileged: false,
    });
    expect(nodes).to.have.length(1);
    expect(nodes[0]).to.include({ type: "c", path: "/dev/nil", major: 1, minor: 3 });
    expect(rules[0]).to.deep.equal({ allow: false, access: "rwm" });
    expect(rules.slice(-3)).to.deep.equal([
      { allow: true, type: "c", major: 1, minor: 3, access: "r" },
      { allow: true, type: "c", major: 42, access: "rw" },
      { allow: true, type: "b", major: 8, minor: 1, access: "m" },
    ]);
    const refused = await rejection(devicesOf({ devices: [], deviceCgroupRules: ["x 1:1 r"], privileged: false }));
    expect(refused).to.include({ reason: "DEVICE_RULE_INVALID" });
  });
});

const CONFIG: OciConfig = {
  ociVersion: "1.0.2",
  process: {
    ...{ terminal: false, args: ["x"], env: ["A=1", "B=1"], cwd: "/", noNewPrivileges: false },
    user: { uid: 0, gid: 0, additionalGids: [7] },
  },
  root: { path: "/r", readonly: false },
  mounts: [{ destination: "/lib/x", type: "bind", source: "/old", options: [] }],
  linux: { namespaces: [], resources: { devices: [] }, cgroupsPath: "/c", devices: [] },
};

describe("devices of a CDI specification", () => {
  const edits = { env: ["B=2"], deviceNodes: [{ path: "/dev/null" }], additionalGids: [7, 8] };
  const first = {
    ...{ cdiVersion: "0.6.0", kind: "vendor.com/class", containerEdits: { env: ["COMMON=1"] } },
    devices: [
      { name: "one", containerEdits: edits },
      { name: "two", containerEdits: { mounts: [{ hostPath: "/new", containerPath: "/lib/x", options: ["ro"] }] } },
    ],
  };

  async function directories(path: string): Promise<string[]> {
    const all = [join(path, "etc"), join(path, "run"), join(path, "missing")];
    for (const one of all.slice(0, 2)) await mkdir(one);
    await writeFile(join(path, "etc/first.json"), JSON.stringify(first));
    await writeFile(join(path, "etc/broken.json"), "{");
    await writeFile(join(path, "etc/notes.txt"), "nothing");
    const hook = { hookName: "createRuntime", path: "/bin/hook", args: ["hook"] };
    const later = { ...first, devices: [{ name: "two", containerEdits: { hooks: [hook] } }] };
    await writeFile(join(path, "run/later.yaml"), JSON.stringify(later));
    return all;
  }

  it("change environment, nodes, rules and groups; those of the file itself count once", async () => {
    await using directory = await temporaryDirectory("cdi");
    const found = await findCdiDevices(["vendor.com/class=one"], await directories(directory.path));
    const { process, linux } = await injectDevices(CONFIG, found);
    expect(process.env).to.deep.equal(["A=1", "B=2", "COMMON=1"]);
    expect(process.user.additionalGids).to.deep.equal([7, 8]);
    expect(linux.devices?.[0]).to.include({ path: "/dev/null", type: "c", major: 1, minor: 3 });
    expect(linux.resources.devices).to.deep.equal([{ allow: true, type: "c", major: 1, minor: 3, access: "rwm" }]);
  });

  it("come from the later directory where two have one of a name", async () => {
    await using directory = await temporaryDirectory("cdi");
    const [etc = "", run = ""] = await directories(directory.path);
    const both = await injectDevices(CONFIG, await findCdiDevices(["vendor.com/class=two"], [etc, run]));
    expect(both.hooks).to.deep.equal({ createRuntime: [{ path: "/bin/hook", args: ["hook"], env: [] }] });
    const alone = await injectDevices(CONFIG, await findCdiDevices(["vendor.com/class=two"], [etc]));
    expect(alone.mounts).to.deep.equal([
      { destination: "/lib/x", type: "bind", source: "/new", options: ["rbind", "ro"] },
    ]);
  });

  it("are refused when there is none, naming the files that could not be read", async () => {
    await using directory = await temporaryDirectory("cdi");
    const error = await rejection(findCdiDevices(["vendor.com/class=three"], await directories(directory.path)));
    expect(error).to.include({ code: "INVALID_ARGUMENT", reason: "CDI_DEVICE_UNKNOWN" });
    expect(String(error)).to.include("unresolvable CDI devices vendor.com/class=three").and.include("broken.json");
  });

  it("are what Docker's requests for GPUs mean", () => {
    const gpu = { driver: "", count: 0, deviceIds: [], capabilities: [["gpu"]] };
    expect(cdiNamesOf([{ ...gpu, count: -1 }])).to.deep.equal(["nvidia.com/gpu=all"]);
    expect(cdiNamesOf([{ ...gpu, count: 2 }])).to.deep.equal(["nvidia.com/gpu=0", "nvidia.com/gpu=1"]);
    expect(cdiNamesOf([{ ...gpu, deviceIds: ["GPU-1"] }])).to.deep.equal(["nvidia.com/gpu=GPU-1"]);
    expect(cdiNamesOf([{ ...gpu, driver: "cdi", deviceIds: ["a.b/c=d"] }])).to.deep.equal(["a.b/c=d"]);
    expect(() => cdiNamesOf([{ ...gpu, capabilities: [["tpu"]] }]))
      .to.throw()
      .with.property("why", 'could not select device driver "" with capabilities: [[tpu]]');
  });
});
