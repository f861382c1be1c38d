import type { ServerResponse } from "node:http";
import { expect } from "chai";
import { parseReference } from "../../../../services/images/reference.ts";
import { DEFAULT_CLIENT_SETTINGS, RegistryClient } from "../../../../services/images/registry/client.ts";
import { type Credentials, noCredentials } from "../../../../services/images/registry/credentials.ts";
import { inspectRemote } from "../../../../services/images/remote.ts";
import { deadline } from "../../../../services/kit/deadlines.ts";
import { testRegistry } from "../../../lab/registry.ts";
import { rejection } from "../../../lab/rejection.ts";
import { faultServer } from "./fault-server.ts";

const soon = () => deadline(15_000, "talk to a registry");
const me: Credentials = { kind: "basic", username: "me", password: "secret" };
const mine = `Basic ${Buffer.from("me:secret").toString("base64")}`;

function refuse(response: ServerResponse, challenge: string): void {
  response.writeHead(401, { "www-authenticate": challenge });
  response.end(JSON.stringify({ errors: [{ code: "UNAUTHORIZED", message: "no" }] }));
}

describe("a login at a registry", () => {
  it("shows user and password to it, at its own address, and tells when they are wrong", async () => {
    await using server = await faultServer(({ headers }, response) => {
      if (headers.authorization === mine) response.end("{}");
      else refuse(response, 'Basic realm="lab"');
    });
    using client = new RegistryClient(DEFAULT_CLIENT_SETTINGS);
    await client.login(server.address, me, soon());
    expect(server.seen.at(-1)?.path).to.equal("/v2/");
    const error = await rejection(client.login(server.address, { ...me, password: "wrong" }, soon()));
    expect(error).to.include({ code: "UNAUTHENTICATED", reason: "REGISTRY_UNAUTHORIZED" });
    expect(String(error)).not.to.contain("wrong");
  });

  it("gets a token for no repository where the registry wants one", async () => {
    await using server = await faultServer(({ path, headers }, response) => {
      if (path.startsWith("/token")) response.end(JSON.stringify({ token: "t" }));
      else if (headers.authorization === "Bearer t") response.end("{}");
      else refuse(response, `Bearer realm="http://${headers.host}/token",service="lab"`);
    });
    using client = new RegistryClient(DEFAULT_CLIENT_SETTINGS);
    await client.login(server.address, me, soon());
    expect(server.seen.find(({ path }) => path.startsWith("/token"))?.path).to.equal("/token?service=lab&account=me");
  });

  it("says so where nobody listens", async () => {
    using client = new RegistryClient(DEFAULT_CLIENT_SETTINGS);
    const error = await rejection(client.login("127.0.0.1:1", me, soon()));
    expect(error).to.include({ code: "UNAVAILABLE", reason: "REGISTRY_UNAVAILABLE" });
  });
});

describe("an image at its registry", () => {
  it("is told by its digest, type and platforms, and nothing is stored", async () => {
    await using registry = await testRegistry();
    const image = await registry.pushBusybox();
    using client = new RegistryClient(DEFAULT_CLIENT_SETTINGS);
    const reference = parseReference(`${registry.address}/library/busybox`);
    const repository = await client.repository(reference, noCredentials(), soon());
    const { platforms, ...found } = await inspectRemote(reference, repository, soon());
    const { digest, mediaType, size } = image.index.descriptor;
    expect(found).to.deep.equal({ digest, mediaType, sizeBytes: size });
    expect(platforms.map(({ os }) => os)).to.deep.equal(["linux"]);
    const byDigest = parseReference(`${registry.address}/library/busybox@${image.manifest.descriptor.digest}`);
    expect((await inspectRemote(byDigest, repository, soon())).platforms).to.deep.equal(platforms);
  });
});
