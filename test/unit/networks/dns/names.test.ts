import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { HostResolverFile, resolversIn } from "../../../../services/networks/dns/host-resolvers.ts";
import { reversedAddress } from "../../../../services/networks/dns/local-answer.ts";
import { eventually } from "../../../lab/eventually.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";

describe("reversed names", () => {
  it("are addresses of both families, or nothing", () => {
    expect(reversedAddress("4.3.2.1.in-addr.arpa")).to.equal("1.2.3.4");
    expect(reversedAddress(`${"1.0.0.0.".repeat(1)}${"0.".repeat(20)}8.b.d.0.1.0.0.2.ip6.arpa`)).to.equal(
      "2001:db8::1",
    );
    for (const name of ["in-addr.arpa", "3.2.1.in-addr.arpa", "999.3.2.1.in-addr.arpa", "x.ip6.arpa", "a.example"]) {
      expect(reversedAddress(name), name).to.equal(undefined);
    }
  });
});

describe("the host's resolvers", () => {
  it("are its file's addresses, loopback included", () => {
    const text =
      "# comment\nnameserver 127.0.0.53\nnameserver fe80::1%eth0\n nameserver 192.0.2.1 # x\nnameserver name\n";
    expect(resolversIn(text)).to.deep.equal(["127.0.0.53", "fe80::1%eth0", "192.0.2.1"]);
  });

  it("are followed when the file is replaced, or comes into being", async () => {
    await using directory = await temporaryDirectory("resolvers");
    const path = join(directory.path, "etc/resolv.conf");
    const file = new HostResolverFile(path);
    expect(await file.current()).to.deep.equal([]);
    await mkdir(join(directory.path, "etc"));
    await writeFile(path, "nameserver 192.0.2.1\n");
    await eventually(async () => (await file.current())[0] === "192.0.2.1", 5_000);
    await writeFile(`${path}.next`, "nameserver 192.0.2.2\n");
    await rename(`${path}.next`, path);
    await eventually(async () => (await file.current())[0] === "192.0.2.2", 5_000);
  });
});
