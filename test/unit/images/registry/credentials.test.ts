import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import {
  credentialsFor,
  credentialsFromFile,
  parseRegistryAuth,
} from "../../../../services/images/registry/credentials.ts";
import { deadline } from "../../../../services/kit/deadlines.ts";
import { rejection } from "../../../lab/rejection.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";

const signal = () => deadline(5_000, "read credentials");
const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("registry credentials", () => {
  it("are what docker login wrote, Docker Hub's under its old address", async () => {
    await using dir = await temporaryDirectory();
    const path = join(dir.path, "config.json");
    const auths = {
      "https://index.docker.io/v1/": { auth: base64("me:pass:word") },
      "https://ghcr.io/v2/": { username: "you", password: "p" },
      "lab.example:5000": { identitytoken: "t" },
    };
    await writeFile(path, JSON.stringify({ auths }));
    const source = credentialsFromFile(path);
    expect(await source("docker.io", signal())).to.deep.equal({ kind: "basic", username: "me", password: "pass:word" });
    expect(await source("ghcr.io", signal())).to.deep.equal({ kind: "basic", username: "you", password: "p" });
    expect(await source("lab.example:5000", signal())).to.deep.equal({ kind: "identity-token", token: "t" });
    expect(await source("lab.example", signal())).to.deep.equal({ kind: "anonymous" });
  });

  it("are anonymous without a file, and refused, without being repeated, where it is malformed", async () => {
    await using dir = await temporaryDirectory();
    const path = join(dir.path, "config.json");
    expect(await credentialsFromFile(path)("docker.io", signal())).to.deep.equal({ kind: "anonymous" });
    for (const text of ['{"auths": secret', '{"auths":{"x":{"auth":"c2VjcmV0"}}}']) {
      await writeFile(path, text);
      const error = await rejection(credentialsFromFile(path)("x", signal()));
      expect(error).to.include({ code: "INVALID_ARGUMENT", reason: "CREDENTIALS_INVALID" });
      expect(String(error)).not.to.contain("secret");
    }
  });

  it("are asked of a credential helper where the file names one", async () => {
    await using dir = await temporaryDirectory();
    const path = join(dir.path, "config.json");
    const bin = join(dir.path, "bin");
    await mkdir(bin);
    const helper = join(bin, "docker-credential-lab");
    await writeFile(
      helper,
      '#!/bin/sh\nread server\n[ "$server" = lab.example ] || exit 1\necho \'{"Username":"u","Secret":"s"}\'\n',
    );
    await chmod(helper, 0o755);
    await writeFile(path, JSON.stringify({ credHelpers: { "lab.example": "lab", "other.example": "lab" } }));
    const before = process.env["PATH"];
    process.env["PATH"] = `${bin}:${before}`;
    try {
      const source = credentialsFromFile(path);
      expect(await source("lab.example", signal())).to.deep.equal({ kind: "basic", username: "u", password: "s" });
      expect(await source("other.example", signal())).to.deep.equal({ kind: "anonymous" });
    } finally {
      process.env["PATH"] = before;
    }
  });

  it("come from X-Registry-Auth, for that registry alone", async () => {
    const header = Buffer.from(JSON.stringify({ username: "u", password: "p" })).toString("base64url");
    const credentials = parseRegistryAuth(header);
    expect(credentials).to.deep.equal({ kind: "basic", username: "u", password: "p" });
    expect(parseRegistryAuth("")).to.deep.equal({ kind: "anonymous" });
    expect(parseRegistryAuth(base64('{"registrytoken":"t"}'))).to.deep.equal({ kind: "registry-token", token: "t" });
    expect(() => parseRegistryAuth("%%%"))
      .to.throw()
      .that.includes({ reason: "CREDENTIALS_INVALID" });
    const source = credentialsFor("ghcr.io", credentials);
    expect(await source("ghcr.io", signal())).to.equal(credentials);
    expect(await source("mirror.example", signal())).to.deep.equal({ kind: "anonymous" });
  });
});
