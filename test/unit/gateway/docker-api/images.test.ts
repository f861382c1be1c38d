import { expect } from "chai";
import { type InspectImageRequest, LayerPhase, type PullRequest, PullResponse } from "#proto/ctl/images/v1/images.ts";
import { pullTarget } from "../../../../gateway/docker-api/routes/pull.ts";
import { CtlError } from "../../../../services/kit/errors.ts";
import { served } from "./served.ts";
import { IMAGE_ID, nginxImage } from "./specimens.ts";

const notFound = (ref: string) =>
  new CtlError("NOT_FOUND", { reason: "IMAGE_NOT_FOUND", what: `find image "${ref}"`, why: "no tag or id matches" });

describe("the Docker API's images", () => {
  it("are listed with Docker's fields", async () => {
    await using docker = await served({
      images: { listImages: async () => ({ images: [nginxImage()], nextPageToken: "" }) },
    });
    const { json } = await docker.call("GET", "/v1.50/images/json?all=1");
    expect(json).to.deep.equal([
      {
        Containers: -1,
        Created: 1_643_973_612,
        Id: IMAGE_ID,
        Labels: { a: "1", b: "2" },
        ParentId: "",
        RepoDigests: nginxImage().repoDigests,
        RepoTags: ["nginx:latest"],
        SharedSize: -1,
        Size: 172_064_416,
      },
    ]);
    const old = await docker.call("GET", "/v1.43/images/json");
    expect(old.json).to.have.nested.property("[0].VirtualSize", 172_064_416);
  });

  it("are inspected by names with slashes, tags and digests", async () => {
    const asked: InspectImageRequest[] = [];
    await using docker = await served({
      images: {
        inspectImage: async (request) => {
          asked.push(request);
          return { image: nginxImage() };
        },
      },
    });
    for (const name of ["nginx", "host:5000/a/b:c", "a/b%3Ac", `nginx@${IMAGE_ID}`, IMAGE_ID]) {
      expect((await docker.call("GET", `/v1.50/images/${name}/json`)).status, name).to.equal(200);
    }
    expect(asked.map(({ ref }) => ref)).to.deep.equal([
      "nginx",
      "host:5000/a/b:c",
      "a/b:c",
      `nginx@${IMAGE_ID}`,
      IMAGE_ID,
    ]);
    const { json } = await docker.call("GET", "/v1.50/images/nginx/json");
    expect(json).to.deep.equal({
      Id: IMAGE_ID,
      RepoTags: ["nginx:latest"],
      RepoDigests: nginxImage().repoDigests,
      Parent: "",
      Comment: "buildkit",
      Created: "2022-02-04T11:20:12.497794809Z",
      DockerVersion: "",
      Author: "",
      Config: {
        User: "",
        Env: ["PATH=/usr/bin"],
        Cmd: ["nginx"],
        Volumes: null,
        WorkingDir: "",
        Entrypoint: null,
        OnBuild: null,
        Labels: { a: "1", b: "2" },
        ExposedPorts: { "80/tcp": {} },
      },
      Architecture: "amd64",
      Os: "linux",
      Size: 172_064_416,
      GraphDriver: { Data: null, Name: "overlay2" },
      RootFS: { Type: "layers", Layers: ["sha256:aa", "sha256:bb"] },
      Metadata: { LastTagTime: "0001-01-01T00:00:00Z" },
    });
    const young = await docker.call("GET", "/v1.52/images/nginx/json");
    expect(young.json).to.have.property("Config").that.has.all.keys("Env", "Cmd", "Labels", "ExposedPorts");
    const old = await docker.call("GET", "/v1.41/images/nginx/json");
    expect(old.json).to.have.property("Config").that.includes({ Hostname: "", Tty: false });
    expect(old.json).to.include.keys("VirtualSize", "Container", "ContainerConfig");
  });

  it("have a history, newest first", async () => {
    await using docker = await served({ images: { inspectImage: async () => ({ image: nginxImage() }) } });
    const { json } = await docker.call("GET", "/images/nginx/history");
    expect(json).to.have.length(2);
    expect(json).to.have.deep.nested.property("[0].Tags", ["nginx:latest"]);
    const [newest, oldest] = json as unknown[];
    expect(newest).to.include({ Id: IMAGE_ID, Comment: "buildkit" });
    expect(oldest).to.include({ Id: "<missing>", CreatedBy: "ADD file", Created: 1_643_973_000 });
  });

  it("are tagged and removed, and one that is not there is 404 in Docker's words", async () => {
    const tagged: unknown[] = [];
    await using docker = await served({
      images: {
        tagImage: async (request) => {
          tagged.push(request);
          return { id: IMAGE_ID, tag: request.tag };
        },
        removeImage: async ({ ref }) => {
          if (ref !== "a/b:1") throw notFound(ref);
          return { untagged: ["a/b:1"], deleted: [IMAGE_ID] };
        },
      },
    });
    expect((await docker.call("POST", "/images/nginx/tag?repo=a/b&tag=1")).status).to.equal(201);
    expect(tagged).to.deep.equal([{ ref: "nginx", tag: "a/b:1" }]);
    expect((await docker.call("DELETE", "/images/a/b:1?force=1")).json).to.deep.equal([
      { Untagged: "a/b:1" },
      { Deleted: IMAGE_ID },
    ]);
    const missing = await docker.call("DELETE", "/images/x/y");
    expect([missing.status, missing.json]).to.deep.equal([404, { message: "No such image: x/y:latest" }]);
  });

  it("are pulled with Docker's progress lines and the caller's credentials", async () => {
    const asked: PullRequest[] = [];
    const layer = (phase: LayerPhase, currentBytes = 0) =>
      PullResponse.fromPartial({
        event: { $case: "layer", value: { digest: "sha256:0123456789abcdef", phase, currentBytes, totalBytes: 200 } },
      });
    await using docker = await served({
      images: {
        pull: async function* (request) {
          asked.push(request);
          yield PullResponse.fromPartial({
            event: {
              $case: "started",
              value: { digest: "sha256:dd", layers: [{ digest: "sha256:0123456789abcdef", sizeBytes: 200 }] },
            },
          });
          yield layer(LayerPhase.DOWNLOADING, 100);
          yield layer(LayerPhase.EXTRACTING, 200);
          yield layer(LayerPhase.DONE, 200);
          yield PullResponse.fromPartial({ event: { $case: "finished", value: { changed: true } } });
        },
      },
    });
    const auth = Buffer.from(JSON.stringify({ username: "u", password: "p" })).toString("base64url");
    const { text, headers } = await docker.call(
      "POST",
      "/v1.50/images/create?fromImage=docker.io%2Flibrary%2Fnginx&tag=1.27&platform=linux/amd64",
      undefined,
      { "x-registry-auth": auth },
    );
    expect(headers["content-type"]).to.equal("application/json");
    expect(asked[0]).to.deep.include({
      reference: "docker.io/library/nginx:1.27",
      platform: { os: "linux", architecture: "amd64", variant: "" },
      auth: { username: "u", password: "p", identityToken: "", registryToken: "" },
    });
    const lines = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ status }) => status)).to.deep.equal([
      "Pulling from library/nginx",
      "Pulling fs layer",
      "Downloading",
      "Download complete",
      "Extracting",
      "Pull complete",
      "Digest: sha256:dd",
      "Status: Downloaded newer image for nginx:1.27",
    ]);
    expect(lines[2]).to.deep.include({ id: "0123456789ab", progressDetail: { current: 100, total: 200 } });
    expect(lines[2].progress).to.equal(`[${"=".repeat(25)}>${" ".repeat(24)}]     100B/200B`);
  });

  it("say of a pull's layers what is new: nothing where all are here", async () => {
    const layers = ["sha256:aa", "sha256:bb"].map((digest) => ({ digest }));
    const pulling = (...phases: LayerPhase[]) =>
      async function* () {
        yield PullResponse.fromPartial({ event: { $case: "started", value: { digest: "sha256:dd", layers } } });
        for (const [index, phase] of phases.entries()) {
          const layer = { ...layers[index], phase };
          yield PullResponse.fromPartial({ event: { $case: "layer", value: layer } });
        }
      };
    const statuses = async (...phases: LayerPhase[]) => {
      await using docker = await served({ images: { pull: pulling(...phases) } });
      const { text } = await docker.call("POST", "/images/create?fromImage=nginx&tag=1");
      return text
        .trim()
        .split("\n")
        .slice(1)
        .map((line) => JSON.parse(line).status);
    };
    expect(await statuses(LayerPhase.EXISTS, LayerPhase.EXISTS)).to.deep.equal([]);
    expect(await statuses(LayerPhase.EXISTS, LayerPhase.DONE)).to.deep.equal([
      "Already exists",
      "Pulling fs layer",
      "Pull complete",
    ]);
  });

  it("tell a pull's failure with its status before the first progress, in the stream after it", async () => {
    await using docker = await served({
      images: {
        pull: async function* ({ reference }) {
          if (reference === "early:latest") throw notFound(reference);
          yield PullResponse.fromPartial({ event: { $case: "started", value: { digest: "sha256:dd" } } });
          throw new CtlError("UNAVAILABLE", { reason: "REGISTRY_GONE", what: "pull late", why: "it hung up" });
        },
      },
    });
    const early = await docker.call("POST", "/images/create?fromImage=early&tag=latest");
    expect(early.status).to.equal(404);
    const late = await docker.call("POST", "/images/create?fromImage=late&tag=latest");
    expect(late.status).to.equal(200);
    expect(JSON.parse(late.text.trim().split("\n").at(-1) ?? "")).to.deep.equal({
      errorDetail: { message: "cannot pull late: it hung up" },
      error: "cannot pull late: it hung up",
    });
  });

  it("know a name, a tag and a digest apart, however they come", () => {
    expect(pullTarget("nginx", "")).to.include({ reference: "nginx:latest" });
    expect(pullTarget("nginx:1", "")).to.include({ reference: "nginx:1", path: "library/nginx", tag: "1" });
    expect(pullTarget("nginx:1", "2")).to.include({ reference: "nginx:2" });
    expect(pullTarget("host:5000/a", "sha256:ab")).to.include({ reference: "host:5000/a@sha256:ab" });
    expect(pullTarget("host:5000/a@sha256:ab", "x")).to.include({ reference: "host:5000/a@sha256:ab", path: "a" });
  });
});
