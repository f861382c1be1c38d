import { expect } from "chai";
import { parseMount, parseTmpfs, parseVolume } from "../../../../cli/values/mount.ts";
import { refused } from "./refused.ts";

const here = { directory: "/work/tree", home: "/home/me" };
const volume = (given: string) => parseVolume(given, here);

describe("a mount by -v", () => {
  it("is anonymous, a named volume or a path of the host", () => {
    expect(volume("/data")).to.include({ type: "volume", source: "", target: "/data" });
    expect(volume("name:/data")).to.include({ type: "volume", source: "name", createSource: false });
    expect(volume("/host:/data:ro")).to.include({ type: "bind", source: "/host", readOnly: true, createSource: true });
  });

  it("takes a path that begins with a dot or a tilde from here", () => {
    expect(volume("./a/../b:/data")).to.include({ type: "bind", source: "/work/tree/b" });
    expect(volume("..:/data").source).to.equal("/work");
    expect(volume("~/x:/data").source).to.equal("/home/me/x");
  });

  it("takes options of its type", () => {
    expect(volume("/host:/data:rshared,ro")).to.include({ propagation: "rshared", readOnly: true });
    expect(volume("name:/data:nocopy,z")).to.include({ noCopy: true });
    expect(volume("/host:/data/:rw").target).to.equal("/data");
    expect(volume("/host:/data:Z,consistent")).to.include({ readOnly: false, propagation: "" });
    for (const given of ["/host:/data:nocopy", "name:/data:rshared", "name:/data:fast", "/host:/data:idmap"])
      refused("MOUNT_INVALID", () => volume(given));
    for (const given of ["/host:/data:ro,rw", "/host:/data:z,Z", "/host:/data:slave,shared"])
      refused("MOUNT_INVALID", () => volume(given));
  });

  it("is refused when it cannot be", () => {
    for (const given of ["", "a::b", "name:data", "/a:/b:ro:x", "/a:/"]) refused("MOUNT_INVALID", () => volume(given));
    refused("VOLUME_NAME_INVALID", () => volume("a b:/data"));
    refused("VOLUME_NAME_INVALID", () => volume("dir/sub:/data"));
  });
});

describe("a mount by --mount", () => {
  it("gives a volume's owner by number, by -v and by --mount", () => {
    expect(volume("data:/x:uid=1000,gid=1001,ro")).to.include({ uid: 1000, gid: 1001, readOnly: true });
    expect(parseMount("src=data,dst=/x,volume-uid=7")).to.include({ uid: 7, gid: undefined });
    for (const given of ["data:/x:uid=www-data", "data:/x:uid=4294967295", "/host:/x:uid=1", "data:/x:uid="]) {
      refused("MOUNT_INVALID", () => volume(given));
    }
    refused("MOUNT_INVALID", () => parseMount("type=bind,src=/a,dst=/x,volume-uid=7"));
  });

  it("says each part by name, a volume being the usual type", () => {
    expect(parseMount("type=bind,source=/a,target=/b,readonly,bind-propagation=slave")).to.include({
      type: "bind",
      source: "/a",
      target: "/b",
      readOnly: true,
      propagation: "slave",
      createSource: false,
    });
    expect(
      parseMount('src=name,dst=/b,volume-opt=o=x,"volume-opt=a=b,c",volume-label=k=v,volume-nocopy'),
    ).to.deep.include({
      type: "volume",
      source: "name",
      noCopy: true,
      driverOptions: { o: "x", a: "b,c" },
      labels: { k: "v" },
    });
    expect(parseMount("type=tmpfs,target=/t,tmpfs-size=64m,tmpfs-mode=1777").tmpfsOptions).to.deep.equal([
      "size=67108864",
      "mode=1777",
    ]);
  });

  it("binds with or without what lies below, and mounts a part of a volume", () => {
    const bind = "type=bind,source=/a,target=/b";
    expect(parseMount(bind).recursive).to.equal("");
    expect(parseMount(`${bind},bind-recursive=enabled`).recursive).to.equal("");
    expect(parseMount(`${bind},bind-recursive=disabled`).recursive).to.equal("disabled");
    expect(parseMount(`${bind},bind-nonrecursive`).recursive).to.equal("disabled");
    expect(parseMount(`${bind},readonly,bind-recursive=writable`).recursive).to.equal("writable");
    expect(parseMount(`${bind},ro,bind-propagation=rprivate,bind-recursive=readonly`).recursive).to.equal("readonly");
    expect(parseMount("source=v,target=/b,volume-subpath=x/y").subpath).to.equal("x/y");
    const why = (given: string) => refused("MOUNT_INVALID", () => parseMount(given)).why;
    expect(why(`${bind},bind-recursive=writable`)).to.include("requires 'readonly'");
    expect(why(`${bind},ro,bind-recursive=readonly`)).to.include("requires 'bind-propagation=rprivate'");
    expect(why(`${bind},bind-recursive=all`)).to.include('must be "enabled", "disabled", "writable", or "readonly"');
    expect(why(`${bind},volume-subpath=x`)).to.include("cannot mix 'volume-subpath' with mount type 'bind'");
    expect(why("type=image,source=a,target=/b")).to.equal('mount type "image" is not supported');
  });

  it("knows its type wherever it is said", () => {
    expect(parseMount("source=/a,target=/b,type=bind")).to.include({ type: "bind", source: "/a" });
  });

  it("is refused with Docker's words", () => {
    const why = (given: string) => refused("MOUNT_INVALID", () => parseMount(given)).why;
    expect(why("type=bind,source=/a")).to.equal("target is required");
    expect(why("target=/b,loud")).to.equal("invalid field 'loud' must be a key=value pair");
    expect(why("target=/b,colour=red")).to.equal("unexpected key 'colour' in 'colour=red'");
    expect(why("type=bind,source=a,target=/b")).to.include("mount path must be absolute");
    expect(why("type=bind,source=/a,target=/b,volume-nocopy")).to.include("cannot mix");
    expect(why("type=nfs,target=/b")).to.include("not supported");
    expect(why("target=/b,readonly=maybe")).to.equal("invalid value for readonly: maybe");
  });
});

describe("a mount by --tmpfs", () => {
  it("is a path and options", () => {
    expect(parseTmpfs("/run:rw,size=64k")).to.deep.include({ target: "/run", tmpfsOptions: ["rw", "size=64k"] });
    expect(parseTmpfs("/run").tmpfsOptions).to.deep.equal([]);
    refused("MOUNT_INVALID", () => parseTmpfs("run"));
  });
});
