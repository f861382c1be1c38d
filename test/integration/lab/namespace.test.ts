import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { secondHost } from "../../lab/namespace.ts";

describe("the lab's second host", () => {
  it("reaches this one over the wire, under its own address, v4 and v6", async () => {
    await using host = await secondHost();
    await using web = createServer((request, response) => response.end(request.socket.remoteAddress));
    const listening = Promise.withResolvers<void>();
    web.listen(0, "::", listening.resolve);
    await listening.promise;
    const { port } = web.address() as AddressInfo;
    const v4 = await host.run("curl", ["-s", "-m", "5", "--noproxy", "*", `http://${host.hostAddress}:${port}/`]);
    const v6 = await host.run("curl", ["-s", "-m", "5", "--noproxy", "*", `http://[${host.hostAddress6}]:${port}/`]);
    expect(v4.stdout).to.equal(`::ffff:${host.address}`);
    expect(v6.stdout.replace(/(^|:)0+(?=[0-9a-f])/g, "$1")).to.equal(
      host.address6.replace(/(^|:)0+(?=[0-9a-f])/g, "$1"),
    );
  });
});
