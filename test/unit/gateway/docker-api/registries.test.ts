import { expect } from "chai";
import type { CheckLoginRequest, InspectRemoteRequest } from "#proto/ctl/images/v1/images.ts";
import { CtlError } from "../../../../services/kit/errors.ts";
import { served } from "./served.ts";

describe("the Docker API's registries", () => {
  it("are logged in to: 200 with Docker's words, 401 with the registry's", async () => {
    const asked: CheckLoginRequest[] = [];
    await using docker = await served({
      images: {
        checkLogin: async (request) => {
          asked.push(request);
          if (request.auth?.password === "right") return {};
          throw new CtlError("UNAUTHENTICATED", {
            reason: "REGISTRY_UNAUTHORIZED",
            what: "log in",
            why: "unauthorized",
          });
        },
      },
    });
    const hub = { username: "me", password: "right", serveraddress: "https://index.docker.io/v1/" };
    const welcome = await docker.call("POST", "/auth", hub);
    expect([welcome.status, welcome.json]).to.deep.equal([200, { Status: "Login Succeeded", IdentityToken: "" }]);
    const refused = await docker.call("POST", "/auth", { ...hub, password: "x", serveraddress: "lab.example:5000" });
    expect(refused.status).to.equal(401);
    expect(asked.map(({ registry }) => registry)).to.deep.equal(["docker.io", "lab.example:5000"]);
    expect((await docker.call("POST", "/auth", { serveraddress: "lab.example" })).status).to.equal(400);
  });

  it("tell what they have under a name, with the credentials of the request", async () => {
    const asked: InspectRemoteRequest[] = [];
    await using docker = await served({
      images: {
        inspectRemote: async (request) => {
          asked.push(request);
          if (request.reference === "nope") {
            throw new CtlError("NOT_FOUND", { reason: "IMAGE_NOT_FOUND", what: "pull nope", why: "no such image" });
          }
          const platforms = [{ os: "linux", architecture: "arm", variant: "v7" }];
          return { mediaType: "application/x", digest: "sha256:aa", sizeBytes: 7, platforms };
        },
      },
    });
    const auth = Buffer.from(JSON.stringify({ username: "me", password: "secret" })).toString("base64url");
    const found = await docker.call("GET", "/v1.41/distribution/lab/a:1/json", undefined, { "x-registry-auth": auth });
    expect(found.json).to.deep.equal({
      Descriptor: { mediaType: "application/x", digest: "sha256:aa", size: 7 },
      Platforms: [{ architecture: "arm", os: "linux", variant: "v7" }],
    });
    expect(asked[0]).to.deep.nested.include({ reference: "lab/a:1", "auth.username": "me" });
    const missing = await docker.call("GET", "/distribution/nope/json");
    expect([missing.status, missing.json]).to.deep.equal([
      404,
      { message: "manifest for nope not found: manifest unknown: manifest unknown" },
    ]);
  });
});
