import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { expect } from "chai";
import { type Digest, digestOf, parseDigest } from "../../../../services/images/digest.ts";
import { parseImageConfig } from "../../../../services/images/image-config.ts";
import { type Descriptor, MAX_MANIFEST_BYTES, OCI_INDEX, parseManifest } from "../../../../services/images/manifest.ts";
import { choosePlatform, hostPlatform } from "../../../../services/images/platform.ts";
import { parseReference } from "../../../../services/images/reference.ts";
import {
  DEFAULT_CLIENT_SETTINGS,
  RegistryClient,
  type RegistryClientSettings,
  type RemoteRepository,
} from "../../../../services/images/registry/client.ts";
import { type Credentials, credentialsFor, noCredentials } from "../../../../services/images/registry/credentials.ts";
import { runCommand } from "../../../../services/kit/command.ts";
import { deadline } from "../../../../services/kit/deadlines.ts";
import { type TestRegistry, testRegistry } from "../../../lab/registry.ts";
import { rejection } from "../../../lab/rejection.ts";
import { file, tar } from "../../../lab/tar.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";
import { type Answer, type FaultServer, faultServer, refuse } from "./fault-server.ts";

const RETRY = { attempts: 3, baseMs: 1, capMs: 5 };
const BLOB = randomBytes(1_000_000);
const DESCRIPTOR: Descriptor = { mediaType: "x", digest: digestOf(BLOB), size: BLOB.length };
const MANIFEST = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }));

describe("the registry client", () => {
  describe("with a real registry", () => {
    let registry: TestRegistry;
    before(async () => {
      registry = await testRegistry();
    });
    after(async () => {
      await registry[Symbol.asyncDispose]();
    });

    it("fetches index, manifest, configuration and layers, all verified", async () => {
      const pushed = await registry.push("a/b", "1", [tar(file("f", "content")), tar(file("g", randomBytes(300_000)))]);
      await using remote = await open(`${registry.address}/a/b:1`);
      const index = await remote.manifest("1", soon());
      expect(index.digest).to.equal(pushed.index.descriptor.digest);
      const parsed = parseManifest(index.bytes, index.contentType, "a/b");
      if (parsed.kind !== "index") throw new Error("not an index");
      const entry = choosePlatform(parsed.manifests, hostPlatform(), "a/b");
      const fetched = await remote.manifest(entry.digest, soon());
      const image = parseManifest(fetched.bytes, fetched.contentType, "a/b");
      if (image.kind !== "image") throw new Error("not an image");
      const config = parseImageConfig(await remote.smallBlob(image.config, MAX_MANIFEST_BYTES, soon()), "a/b");
      expect(config.diffIds).to.deep.equal(pushed.layers.map(({ diffId }) => diffId));
      for (const layer of image.layers) expect(digestOf(await whole(remote, layer))).to.equal(layer.digest);
    });

    it("says what a tag points to without fetching it", async () => {
      const pushed = await registry.push("a/head", "1", [tar(file("f"))]);
      await using remote = await open(`${registry.address}/a/head:1`);
      expect(await remote.digest("1", soon())).to.equal(pushed.index.descriptor.digest);
    });

    it("says IMAGE_NOT_FOUND for an unknown repository and an unknown tag", async () => {
      await registry.push("a/known", "1", [tar(file("f"))]);
      for (const name of ["a/unknown:1", "a/known:2"]) {
        await using remote = await open(`${registry.address}/${name}`);
        const error = await rejection(remote.manifest(name.slice(-1), soon()));
        expect(error).to.include({ code: "NOT_FOUND", reason: "IMAGE_NOT_FOUND" });
      }
    });

    it("says BLOB_NOT_FOUND for a layer that the registry has lost", async () => {
      await using remote = await open(`${registry.address}/a/b:1`);
      const error = await rejection(whole(remote, DESCRIPTOR));
      expect(error).to.include({ code: "NOT_FOUND", reason: "BLOB_NOT_FOUND" });
    });

    it("is a mirror of Docker Hub by the same code path", async () => {
      const pushed = await registry.push("library/lab", "latest", [tar(file("f"))]);
      const mirrors = { "docker.io": { endpoints: [{ url: registry.url }], askRegistry: false } };
      await using remote = await open("lab", { mirrors });
      expect((await remote.manifest("latest", soon())).digest).to.equal(pushed.index.descriptor.digest);
      await using unknown = await open("no-such-image", { mirrors });
      const error = await rejection(unknown.manifest("latest", soon()));
      expect(error).to.include({ code: "NOT_FOUND", reason: "IMAGE_NOT_FOUND" });
    });

    it("resumes where it was when the registry's connections break in the middle", async () => {
      const content = randomBytes(5_000_000);
      const pushed = await registry.push("a/resumed", "1", [tar(file("f", content))]);
      const descriptor = pushed.layers[0]?.descriptor;
      if (descriptor === undefined) throw new Error("no layer");
      // between the client and the real registry: a proxy that drops each connection after a megabyte
      await using proxy = await faultServer((request, response) => {
        void forward(registry.url + request.path, request.headers.range, response, 1_000_000);
      });
      await using remote = await open(`${proxy.address}/a/resumed:1`);
      const layer = { ...descriptor, digest: parseDigest(descriptor.digest) };
      expect(digestOf(await whole(remote, layer))).to.equal(layer.digest);
      const ranges = proxy.seen.map(({ headers }) => headers.range);
      expect(ranges.length).to.be.greaterThan(4);
      expect(ranges[0]).to.equal(undefined);
      expect(ranges.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range ?? ""))).to.equal(true);
    });
  });

  describe("over connections that fail", () => {
    it("starts again where a server ignores Range, without giving bytes twice", async () => {
      let times = 0;
      await using server = await faultServer((_, response) =>
        cutAfter(response, BLOB, times++ === 0 ? 400_000 : BLOB.length),
      );
      await using remote = await open(`${server.address}/x`);
      expect((await whole(remote, DESCRIPTOR)).equals(BLOB)).to.equal(true);
      expect(server.seen).to.have.length(2);
    });

    it("gives up after some tries without progress, saying how far it came", async () => {
      await using server = await faultServer((request, response) => {
        if (request.headers.range !== undefined) response.destroy();
        else cutAfter(response, BLOB, 400_000);
      });
      await using remote = await open(`${server.address}/x`);
      const error = await rejection(whole(remote, DESCRIPTOR));
      expect(error).to.include({ code: "UNAVAILABLE", reason: "REGISTRY_UNAVAILABLE" });
      expect(server.seen.length).to.be.within(3, 8);
    });

    it("refuses more bytes than the descriptor says", async () => {
      await using server = await faultServer((_, response) => response.end(Buffer.concat([BLOB, BLOB])));
      await using remote = await open(`${server.address}/x`);
      const error = await rejection(whole(remote, DESCRIPTOR));
      expect(error).to.include({ code: "DATA_LOSS", reason: "DIGEST_MISMATCH" });
    });

    it("goes on with the next mirror where one dies in the middle of a blob", async () => {
      await using dying = await faultServer((request, response) => {
        if (request.headers.range === undefined) cutAfter(response, BLOB, 400_000);
        else response.destroy();
      });
      await using healthy = await faultServer((request, response) => {
        const from = Number(/\d+/.exec(request.headers.range ?? "")?.[0]);
        response.writeHead(206, { "content-range": `bytes ${from}-${BLOB.length - 1}/${BLOB.length}` });
        response.end(BLOB.subarray(from));
      });
      const endpoints = [{ url: dying.url }, { url: healthy.url }];
      await using remote = await open("x", { mirrors: { "docker.io": { endpoints, askRegistry: false } } });
      expect((await whole(remote, DESCRIPTOR)).equals(BLOB)).to.equal(true);
      expect(healthy.seen[0]?.headers.range).to.match(/^bytes=[1-9]/);
    });

    it("says REGISTRY_UNAVAILABLE where nobody listens, naming the address", async () => {
      const server = await faultServer(() => {});
      await server[Symbol.asyncDispose]();
      await using remote = await open(`${server.address}/x`);
      const error = await rejection(remote.manifest("latest", soon()));
      expect(error).to.include({ code: "UNAVAILABLE", reason: "REGISTRY_UNAVAILABLE" });
      expect(String(error)).to.contain(server.address);
    });

    it("does not wait for a server that accepts and says nothing", async () => {
      await using server = await faultServer(() => {});
      await using remote = await open(`${server.address}/x`, {}, { headTimeoutMs: 50 });
      const error = await rejection(remote.manifest("latest", soon()));
      expect(error).to.include({ code: "UNAVAILABLE", reason: "REGISTRY_UNAVAILABLE" });
    });

    it("ends at once when its caller leaves, in the middle of a blob too", async () => {
      await using server = await faultServer((_, response) => {
        response.writeHead(200, { "content-length": BLOB.length });
        response.write(BLOB.subarray(0, 1000));
      });
      await using remote = await open(`${server.address}/x`);
      const caller = new AbortController();
      const read = async () => {
        for await (const _ of remote.blob(DESCRIPTOR, caller.signal)) caller.abort();
      };
      expect(await rejection(read())).to.include({ code: "CANCELLED" });
    });

    it("keeps its connections for the next request", async () => {
      await using server = await faultServer((_, response) => response.end(MANIFEST));
      await using remote = await open("x", mirrorOf(server));
      for (let i = 0; i < 5; i++) await remote.manifest("latest", soon());
      expect(server.connections()).to.equal(1);
    });
  });

  describe("takes no registry's word", () => {
    it("verifies a manifest against the digest that was asked for", async () => {
      await using server = await faultServer((_, response) => response.end(MANIFEST));
      await using remote = await open("x", mirrorOf(server));
      expect((await remote.manifest(digestOf(MANIFEST), soon())).digest).to.equal(digestOf(MANIFEST));
      const error = await rejection(remote.manifest(digestOf("other"), soon()));
      expect(error).to.include({ code: "DATA_LOSS", reason: "DIGEST_MISMATCH" });
    });

    it("verifies a tag's manifest against the digest that the registry states", async () => {
      await using server = await faultServer((_, response) => {
        response.setHeader("docker-content-digest", digestOf("other"));
        response.end(MANIFEST);
      });
      await using remote = await open("x", mirrorOf(server));
      const error = await rejection(remote.manifest("latest", soon()));
      expect(error).to.include({ code: "DATA_LOSS", reason: "DIGEST_MISMATCH" });
    });

    it("verifies small blobs, and reads none that is not small", async () => {
      await using server = await faultServer((_, response) => response.end("x"));
      await using remote = await open("x", mirrorOf(server));
      const wrong = { mediaType: "", digest: digestOf("y"), size: 1 };
      expect(await rejection(remote.smallBlob(wrong, 10, soon()))).to.include({ reason: "DIGEST_MISMATCH" });
      expect(await rejection(remote.smallBlob({ ...wrong, size: 11 }, 10, soon()))).to.include({
        reason: "BLOB_TOO_LARGE",
      });
    });

    it("stops reading a manifest that has no end", async () => {
      await using server = await faultServer((_, response) => {
        const more = () => {
          while (response.write(Buffer.alloc(1 << 20, 0x20)));
          response.once("drain", more);
        };
        more();
      });
      await using remote = await open("x", mirrorOf(server));
      const error = await rejection(remote.manifest("latest", soon()));
      expect(error).to.include({ code: "INVALID_ARGUMENT", reason: "ANSWER_TOO_LARGE" });
    });
  });

  describe("when a registry refuses", () => {
    const refusals = [
      [404, "MANIFEST_UNKNOWN", "NOT_FOUND", "IMAGE_NOT_FOUND"],
      [404, "NAME_UNKNOWN", "NOT_FOUND", "IMAGE_NOT_FOUND"],
      [401, "UNAUTHORIZED", "UNAUTHENTICATED", "REGISTRY_UNAUTHORIZED"],
      [403, "DENIED", "PERMISSION_DENIED", "REGISTRY_UNAUTHORIZED"],
      [429, "TOOMANYREQUESTS", "RESOURCE_EXHAUSTED", "TOO_MANY_REQUESTS"],
      [503, "UNAVAILABLE", "UNAVAILABLE", "REGISTRY_UNAVAILABLE"],
      [400, "UNSUPPORTED", "FAILED_PRECONDITION", "REGISTRY_REFUSED"],
    ] as const;
    for (const [status, said, code, reason] of refusals) {
      it(`with ${status} ${said}, it is ${code} ${reason}, with what the registry said`, async () => {
        await using server = await faultServer((_, response) => refuse(response, status, said));
        await using remote = await open("x", mirrorOf(server));
        const error = await rejection(remote.manifest("latest", soon()));
        expect(error).to.include({ code, reason });
        expect(String(error)).to.contain(`the test says ${said}`);
      });
    }

    it("with a page of HTML, it is still an error of ours", async () => {
      await using server = await faultServer((_, response) => {
        response.writeHead(404, { "content-type": "text/html" });
        response.end("<html>".repeat(100_000));
      });
      await using remote = await open("x", mirrorOf(server));
      const error = await rejection(remote.manifest("latest", soon()));
      expect(error).to.include({ code: "NOT_FOUND", reason: "IMAGE_NOT_FOUND" });
    });

    it("for now, it waits as long as Retry-After says and asks again", async () => {
      let times = 0;
      await using server = await faultServer((_, response) => {
        if (times++ < 2) refuse(response, times === 1 ? 429 : 503, "BUSY", { "retry-after": times === 1 ? "1" : "0" });
        else response.end(MANIFEST);
      });
      await using remote = await open("x", mirrorOf(server));
      const started = performance.now();
      expect((await remote.manifest("latest", soon())).digest).to.equal(digestOf(MANIFEST));
      expect(performance.now() - started).to.be.within(990, 3_000);
      expect(server.seen).to.have.length(3);
    });

    it("and another mirror does not, that one's answer counts", async () => {
      await using first = await faultServer((_, response) => refuse(response, 404, "NAME_UNKNOWN"));
      await using second = await faultServer((_, response) => response.end(MANIFEST));
      const endpoints = [{ url: first.url }, { url: second.url }];
      await using remote = await open("x", { mirrors: { "docker.io": { endpoints, askRegistry: false } } });
      expect((await remote.manifest("latest", soon())).digest).to.equal(digestOf(MANIFEST));
      await remote.manifest("latest", soon());
      expect(first.seen, "the one that answered is asked first from then on").to.have.length(1);
    });

    it("and all of them do, the error tells what each said", async () => {
      await using first = await faultServer((_, response) => refuse(response, 500, "BROKEN"));
      await using second = await faultServer((_, response) => refuse(response, 404, "NAME_UNKNOWN"));
      const endpoints = [{ url: first.url }, { url: second.url }];
      await using remote = await open("x", { mirrors: { "docker.io": { endpoints, askRegistry: false } } });
      const error = await rejection(remote.manifest("latest", soon()));
      expect(error).to.include({ code: "NOT_FOUND", reason: "IMAGE_NOT_FOUND" });
      expect(String(error)).to.contain("NAME_UNKNOWN").and.to.contain("BROKEN");
    });
  });

  describe("when a registry wants to know who asks", () => {
    it("gets an anonymous token for the repository, once for all requests", async () => {
      await using server = await tokenServer(() => true);
      await using remote = await open("x", mirrorOf(server));
      await remote.manifest("latest", soon());
      await remote.manifest("latest", soon());
      const tokens = server.seen.filter(({ path }) => path.startsWith("/token"));
      expect(tokens).to.have.length(1);
      expect(tokens[0]?.path).to.equal("/token?service=lab&scope=repository%3Alibrary%2Fx%3Apull");
      expect(tokens[0]?.headers.authorization).to.equal(undefined);
      expect(server.seen).to.have.length(4);
    });

    it("gets one with user and password, and says so where these are wrong", async () => {
      const basic = `Basic ${Buffer.from("me:secret").toString("base64")}`;
      await using server = await tokenServer(({ headers }) => headers.authorization === basic);
      const me: Credentials = { kind: "basic", username: "me", password: "secret" };
      await using remote = await open(`${server.address}/x`, {}, {}, me);
      await remote.manifest("latest", soon());
      expect(server.seen.find(({ path }) => path.startsWith("/token"))?.path).to.contain("account=me");
      await using stranger = await open(`${server.address}/x`, {}, {}, { ...me, password: "wrong" });
      const error = await rejection(stranger.manifest("latest", soon()));
      expect(error).to.include({ code: "UNAUTHENTICATED", reason: "REGISTRY_UNAUTHORIZED" });
      expect(String(error)).not.to.contain("wrong");
    });

    it("exchanges an identity token, and sends a registry token as it is", async () => {
      await using server = await tokenServer(({ body }) => new URLSearchParams(body).get("refresh_token") === "id");
      await using remote = await open(`${server.address}/x`, {}, {}, { kind: "identity-token", token: "id" });
      await remote.manifest("latest", soon());
      await using direct = await open(`${server.address}/x`, {}, {}, { kind: "registry-token", token: "token-1" });
      const before = server.seen.length;
      await direct.manifest("latest", soon());
      expect(server.seen.slice(before).map(({ path }) => path)).to.deep.equal(["/v2/x/manifests/latest"]);
    });

    it("gets a new token when the old one is no longer taken", async () => {
      let valid = 1;
      await using server = await tokenServer(
        () => true,
        () => `token-${valid}`,
      );
      await using remote = await open("x", mirrorOf(server));
      await remote.manifest("latest", soon());
      valid = 2;
      await remote.manifest("latest", soon());
      expect(server.seen.filter(({ path }) => path.startsWith("/token"))).to.have.length(2);
    });

    it("answers Basic, and tells no mirror the registry's password", async () => {
      const basicServer: Answer = ({ headers }, response) => {
        if (headers.authorization !== undefined) response.end(MANIFEST);
        else refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": 'Basic realm="lab"' });
      };
      await using server = await faultServer(basicServer);
      const me: Credentials = { kind: "basic", username: "me", password: "secret" };
      await using remote = await open(`${server.address}/x`, {}, {}, me);
      expect((await remote.manifest("latest", soon())).digest).to.equal(digestOf(MANIFEST));
      await using mirrored = await open("x", mirrorOf(server), {}, me);
      const error = await rejection(mirrored.manifest("latest", soon()));
      expect(error).to.include({ code: "UNAUTHENTICATED", reason: "REGISTRY_UNAUTHORIZED" });
    });

    it("sends no password to a token service on plain http of another host", async () => {
      const challenge = { "www-authenticate": 'Bearer realm="http://192.0.2.1/token"' };
      await using server = await faultServer((_, response) => refuse(response, 401, "UNAUTHORIZED", challenge));
      const endpoints = [{ url: server.url, insecure: false }];
      await using remote = await open("x", { mirrors: { "docker.io": { endpoints, askRegistry: false } } });
      const error = await rejection(remote.manifest("latest", soon()));
      expect(error).to.include({ code: "UNAVAILABLE", reason: "REGISTRY_UNAVAILABLE" });
      expect(String(error)).to.contain("does not speak https");
    });
  });

  describe("when it is redirected", () => {
    it("follows to another host without the Authorization", async () => {
      await using storage = await faultServer((_, response) => response.end(BLOB));
      await using server = await faultServer((_, response) => {
        response.writeHead(307, { location: `${storage.url}/object?signature=x` });
        response.end();
      });
      const token: Credentials = { kind: "registry-token", token: "secret" };
      await using remote = await open(`${server.address}/x`, {}, {}, token);
      expect((await whole(remote, DESCRIPTOR)).equals(BLOB)).to.equal(true);
      expect(server.seen[0]?.headers.authorization).to.equal("Bearer secret");
      expect(storage.seen[0]?.headers.authorization).to.equal(undefined);
    });

    it("does not go round in circles, nor to what is no web address", async () => {
      for (const location of ["/v2/library/x/manifests/latest", "file:///etc/passwd"]) {
        await using server = await faultServer((_, response) => {
          response.writeHead(302, { location });
          response.end();
        });
        await using remote = await open("x", mirrorOf(server));
        const error = await rejection(remote.manifest("latest", soon()));
        expect(error).to.include({ code: "UNAVAILABLE", reason: "REGISTRY_UNAVAILABLE" });
      }
    });
  });

  describe("over TLS", () => {
    it("takes an unknown certificate from an insecure registry only", async () => {
      await using dir = await temporaryDirectory();
      await using server = await faultServer((_, response) => response.end(MANIFEST), await selfSigned(dir.path));
      await using insecure = await open(`${server.address}/x`);
      expect((await insecure.manifest("latest", soon())).digest).to.equal(digestOf(MANIFEST));
      const endpoints = [{ url: server.url, insecure: false }];
      await using secure = await open("x", { mirrors: { "docker.io": { endpoints, askRegistry: false } } });
      const error = await rejection(secure.manifest("latest", soon()));
      expect(error).to.include({ code: "UNAVAILABLE", reason: "REGISTRY_UNAVAILABLE" });
      expect(String(error)).to.contain("certificate");
    });

    it("is not led from https to plain http", async () => {
      await using dir = await temporaryDirectory();
      await using plain = await faultServer((_, response) => response.end(MANIFEST));
      const answer: Answer = (_, response) => {
        response.writeHead(302, { location: plain.url });
        response.end();
      };
      await using server = await faultServer(answer, await selfSigned(dir.path));
      await using remote = await open("x", mirrorOf(server));
      const error = await rejection(remote.manifest("latest", soon()));
      expect(String(error)).to.contain("from https to plain http");
      expect(plain.seen).to.deep.equal([]);
    });
  });
});

type OpenRepository = RemoteRepository & AsyncDisposable;

/** A client of its own for one repository. */
async function open(
  reference: string,
  registries: Partial<RegistryClientSettings["registries"]> = {},
  transport: Partial<RegistryClientSettings["transport"]> = {},
  credentials?: Credentials,
): Promise<OpenRepository> {
  const client = new RegistryClient({
    registries: { ...DEFAULT_CLIENT_SETTINGS.registries, ...registries },
    transport: { ...DEFAULT_CLIENT_SETTINGS.transport, ...transport },
    retry: RETRY,
  });
  const parsed = parseReference(reference);
  const source = credentials === undefined ? noCredentials() : credentialsFor(parsed.domain, credentials);
  const remote = await client.repository(parsed, source, soon());
  return {
    manifest: (name: Digest | string, signal) => remote.manifest(name, signal),
    digest: (tag, signal) => remote.digest(tag, signal),
    blob: (blob, signal) => remote.blob(blob, signal),
    smallBlob: (blob, maxBytes, signal) => remote.smallBlob(blob, maxBytes, signal),
    [Symbol.asyncDispose]: async () => client[Symbol.dispose](),
  };
}

function mirrorOf(server: FaultServer): Partial<RegistryClientSettings["registries"]> {
  return { mirrors: { "docker.io": { endpoints: [{ url: server.url }], askRegistry: false } } };
}

async function whole(remote: RemoteRepository, blob: Descriptor): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(remote.blob(blob, soon())));
}

/** Sends the head and a beginning, then breaks the connection. */
function cutAfter(response: ServerResponse, content: Buffer, bytes: number): void {
  response.writeHead(200, { "content-length": content.length });
  response.write(content.subarray(0, bytes), () => (bytes < content.length ? response.destroy() : response.end()));
}

async function forward(url: string, range: string | undefined, response: ServerResponse, limit: number): Promise<void> {
  const upstream = await fetch(url, { headers: range === undefined ? {} : { range } });
  const headers = Object.fromEntries([...upstream.headers].filter(([name]) => name.startsWith("content-")));
  response.writeHead(upstream.status, headers);
  const body = Buffer.from(await upstream.arrayBuffer());
  response.write(body.subarray(0, limit), () => (limit < body.length ? response.destroy() : response.end()));
}

/** A registry with a token service of its own; `accepts` decides who gets a token. */
async function tokenServer(
  accepts: (request: Parameters<Answer>[0]) => boolean,
  token: () => string = () => "token-1",
): Promise<FaultServer> {
  return await faultServer((request, response) => {
    if (request.path.startsWith("/token")) {
      if (accepts(request)) response.end(JSON.stringify({ token: token(), expires_in: 300 }));
      else refuse(response, 401, "UNAUTHORIZED");
    } else if (request.headers.authorization === `Bearer ${token()}`) {
      response.end(MANIFEST);
    } else {
      const realm = `http://${request.headers.host}/token`;
      refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": `Bearer realm="${realm}",service="lab"` });
    }
  });
}

async function selfSigned(directory: string): Promise<{ key: string; cert: string }> {
  const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  const args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=registry.test"];
  const { exitCode, stderr } = await runCommand("openssl", [...args, "-keyout", key, "-out", cert], { signal: soon() });
  if (exitCode !== 0) throw new Error(stderr);
  return { key: await readFile(key, "utf8"), cert: await readFile(cert, "utf8") };
}

function soon(): AbortSignal {
  return deadline(15_000, "talk to a registry");
}
