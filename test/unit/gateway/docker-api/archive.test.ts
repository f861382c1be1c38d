import { expect } from "chai";
import { ChangeKind, type WriteArchiveRequest } from "#proto/ctl/containers/v1/containers.ts";
import { CtlError } from "../../../../services/kit/errors.ts";
import { served } from "./served.ts";

const STAT = { name: "logs", sizeBytes: 4096, mode: 0o041777, modified: { seconds: 1_700_000_000, nanos: 5 } };
const TOLD = {
  name: "logs",
  size: 4096,
  mode: 2 ** 31 + 2 ** 20 + 0o777,
  mtime: "2023-11-14T22:13:20.000000005Z",
  linkTarget: "",
};

function statIn(headers: Record<string, unknown>): unknown {
  return JSON.parse(Buffer.from(String(headers["x-docker-container-path-stat"]), "base64").toString());
}

describe("the Docker API's archives", () => {
  it("say what is at a path before its first byte", async () => {
    await using docker = await served({
      containers: {
        statPath: async () => ({ stat: { ...STAT, linkTarget: "" } }),
        readArchive: async function* ({ ref, path, followLink }) {
          yield { part: { $case: "stat", value: { ...STAT, linkTarget: "" } } };
          yield { part: { $case: "data", value: Buffer.from(`${ref} ${path} ${followLink} `) } };
          yield { part: { $case: "data", value: Buffer.from("and more") } };
        },
      },
    });
    const url = "/v1.50/containers/web/archive?path=%2Fvar%2Flogs";
    const head = await docker.call("HEAD", url);
    expect([head.status, head.text, statIn(head.headers)]).to.deep.equal([200, "", TOLD]);
    const { status, headers, text } = await docker.call("GET", url);
    expect([status, headers["content-type"], text]).to.deep.equal([
      200,
      "application/x-tar",
      "web /var/logs false and more",
    ]);
    expect(statIn(headers)).to.deep.equal(TOLD);
  });

  it("tell types and special bits as Go does", async () => {
    const modes = [0o120777, 0o104755, 0o102755, 0o060660, 0o020666, 0o010644, 0o140755];
    await using docker = await served({
      containers: {
        statPath: async ({ path }) => ({ stat: { ...STAT, mode: modes[Number(path)] ?? 0, linkTarget: "/x" } }),
      },
    });
    const told: unknown[] = [];
    for (const index of modes.keys()) {
      const { headers } = await docker.call("HEAD", `/containers/web/archive?path=${index}`);
      told.push((statIn(headers) as { mode: number }).mode);
    }
    expect(told).to.deep.equal([
      2 ** 27 + 0o777,
      2 ** 23 + 0o755,
      2 ** 22 + 0o755,
      2 ** 26 + 0o660,
      2 ** 26 + 2 ** 21 + 0o666,
      2 ** 25 + 0o644,
      2 ** 24 + 0o755,
    ]);
  });

  it("are unpacked as they come, with the client's wishes", async () => {
    const requests: WriteArchiveRequest[] = [];
    await using docker = await served({
      containers: {
        writeArchive: async function* (input) {
          for await (const request of input) requests.push(request);
          yield {};
        },
      },
    });
    const url = "/containers/web/archive?path=/tmp&noOverwriteDirNonDir=true&copyUIDGID=1";
    const body = "x".repeat(100_000);
    const { status, text } = await docker.call("PUT", url, body, { "content-type": "application/x-tar" });
    expect([status, text]).to.deep.equal([200, ""]);
    expect(requests[0]?.part).to.deep.equal({
      $case: "open",
      value: { ref: "web", path: "/tmp", noOverwriteDirNonDir: true, copyUidGid: true },
    });
    const data = requests.slice(1).map(({ part }) => (part?.$case === "data" ? part.value.toString() : "?"));
    expect(data.join("")).to.equal(body);
  });

  it("that are refused half-way are read to their end: the client gets its answer, and the next one", async () => {
    await using docker = await served({
      containers: {
        // biome-ignore lint/correctness/useYield: it refuses before it answers
        writeArchive: async function* (input) {
          for await (const { part } of input) if (part?.$case === "data") break;
          const what = 'write to "etc/x" in the container';
          throw new CtlError("PERMISSION_DENIED", { reason: "CONTAINER_PATH_READ_ONLY", what, why: "it is read-only" });
        },
      },
    });
    await using connection = await docker.open();
    const size = 8 << 20;
    connection.socket.write(
      `PUT /containers/web/archive?path=/ HTTP/1.1\r\nHost: d\r\nContent-Length: ${size}\r\n\r\n`,
    );
    connection.socket.write(Buffer.alloc(size));
    connection.socket.write("GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n");
    await connection.closed;
    const received = connection.received().toString();
    expect(received).to.match(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(received)
      .to.include('{"message":"it is read-only"}')
      .and.to.match(/HTTP\/1\.1 200 OK[\s\S]*OK$/);
  });

  it("need a path", async () => {
    await using docker = await served({});
    for (const method of ["GET", "PUT"]) {
      const { status, json } = await docker.call(method, "/containers/web/archive");
      expect([status, json]).to.deep.equal([400, { message: "bad parameter: path cannot be empty" }]);
    }
    expect((await docker.call("HEAD", "/containers/web/archive")).status).to.equal(400);
  });

  it("of what is not there are refused before they begin", async () => {
    const missing = new CtlError("NOT_FOUND", {
      reason: "CONTAINER_PATH_NOT_FOUND",
      what: 'find "nope" in the container',
      why: "there is no such file or directory",
    });
    await using docker = await served({
      containers: {
        statPath: () => Promise.reject(missing),
        readArchive: () => {
          throw missing;
        },
      },
    });
    const { status, json } = await docker.call("GET", "/containers/web/archive?path=/nope");
    expect([status, json]).to.deep.equal([404, { message: "Could not find the file /nope in container web" }]);
    expect((await docker.call("HEAD", "/containers/web/archive?path=/nope")).status).to.equal(404);
  });
});

describe("the Docker API's changes and exports", () => {
  it("are a container's own", async () => {
    const kinds = [ChangeKind.MODIFIED, ChangeKind.ADDED, ChangeKind.DELETED];
    await using docker = await served({
      containers: {
        listChanges: async function* ({ ref }) {
          for (const kind of kinds) yield { changes: [{ kind, path: `/${ref}/${kind}` }] };
        },
        exportContainer: async function* ({ ref }) {
          yield { data: Buffer.from(`tar of ${ref}`) };
        },
      },
    });
    const changes = await docker.call("GET", "/containers/web/changes");
    expect(changes.json).to.deep.equal([
      { Path: "/web/1", Kind: 0 },
      { Path: "/web/2", Kind: 1 },
      { Path: "/web/3", Kind: 2 },
    ]);
    const { headers, text } = await docker.call("GET", "/containers/web/export");
    expect([headers["content-type"], text]).to.deep.equal(["application/octet-stream", "tar of web"]);
  });
});
