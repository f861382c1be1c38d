import { request } from "node:http";
import { text } from "node:stream/consumers";
import { expect } from "chai";
import { NULL_IN_DOCKER, OMITTED, OURS } from "../../api-reference/exceptions.ts";
import { type Problem, problemsOf, readReference } from "../../api-reference/reference.ts";
import { sharedEngine } from "../engine.ts";

interface Asked {
  readonly method: "GET" | "POST" | "DELETE";
  /** `EXEC` is the id of the last exec that was made, `NOW` a second from then, `REGISTRY` and `IMAGE` are the lab's. */
  readonly path: string;
  /** What the description calls it. */
  readonly name: string;
  readonly body?: object;
}

function get(path: string, name: string): Asked {
  return { method: "GET", path, name: `GET ${name}` };
}

function post(path: string, name: string, body?: object): Asked {
  return { method: "POST", path, name: `POST ${name}`, ...(body === undefined ? {} : { body }) };
}

const LOGIN = { username: "somebody", password: "secret", serveraddress: "http://REGISTRY" };

/** In this order: later ones are about what earlier ones made. */
const ANSWERS: readonly Asked[] = [
  post("/containers/create?name=made", "/containers/create", { Image: "busybox", Cmd: ["sh", "-c", "exit 3"] }),
  post("/containers/made/update", "/containers/{id}/update", { Memory: 64 << 20, MemorySwap: 128 << 20 }),
  post("/containers/made/start", "/containers/{id}/start"),
  post("/containers/made/wait", "/containers/{id}/wait"),
  get("/containers/json?all=1&size=1", "/containers/json"),
  get("/containers/web/json?size=1", "/containers/{id}/json"),
  get("/containers/web/top", "/containers/{id}/top"),
  get("/containers/web/stats?stream=false", "/containers/{id}/stats"),
  get("/containers/web/changes", "/containers/{id}/changes"),
  post("/containers/web/exec", "/containers/{id}/exec", { Cmd: ["true"], AttachStdout: true }),
  get("/exec/EXEC/json", "/exec/{id}/json"),
  get("/images/json", "/images/json"),
  get("/images/busybox/json", "/images/{name}/json"),
  get("/images/busybox/history", "/images/{name}/history"),
  post("/images/busybox/tag?repo=spare&tag=1", "/images/{name}/tag"),
  { method: "DELETE", path: "/images/spare:1", name: "DELETE /images/{name}" },
  get("/distribution/IMAGE/json", "/distribution/{name}/json"),
  post("/auth", "/auth", LOGIN),
  get("/info", "/info"),
  get("/version", "/version"),
  get("/system/df?verbose=1", "/system/df"),
  get("/events?since=0&until=NOW", "/events"),
  post("/networks/create", "/networks/create", { Name: "made" }),
  get("/networks", "/networks"),
  get("/networks/lan", "/networks/{id}"),
  post("/volumes/create", "/volumes/create", { Name: "made", Labels: { a: "b" } }),
  get("/volumes", "/volumes"),
  get("/volumes/data", "/volumes/{name}"),
  post("/containers/prune", "/containers/prune"),
  post("/images/prune", "/images/prune"),
  post("/networks/prune", "/networks/prune"),
  post("/volumes/prune", "/volumes/prune"),
  post("/build/prune", "/build/prune"),
];

/** Of the store that ctl has not: no image has one. */
const NEVER = ["GET /images/{name}/attestations"];

describe("the Docker API's answers", function () {
  this.timeout(60_000);
  const engine = sharedEngine({ images: ["busybox"] });
  const reference = readReference();

  const ask = async ({ method, path, body }: Asked): Promise<unknown[]> => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const options = { socketPath: engine.daemon.socket, method, path: `/v1.56${path}` };
    const asking = request({ ...options, headers: { "content-type": "application/json" } }, (response) =>
      text(response).then((answer) => {
        if ((response.statusCode ?? 0) < 400) resolve(answer);
        else reject(new Error(`${method} ${path}: ${response.statusCode} ${answer}`));
      }, reject),
    );
    asking.on("error", reject).end(body === undefined ? undefined : filled(JSON.stringify(body)));
    // events come one a line
    const lines = (await promise).split("\n").filter((line) => line !== "");
    return lines.map((line) => JSON.parse(line));
  };
  let exec = "";
  const filled = (given: string): string => {
    const { address } = engine.registry;
    const image = `${address}/library/busybox:latest`;
    const now = String(Math.ceil(Date.now() / 1_000));
    return given.replace("EXEC", exec).replace("NOW", now).replace("REGISTRY", address).replace("IMAGE", image);
  };

  it("have the fields that Docker's description names, with their types", async () => {
    await engine.ok("network", "create", "lan");
    const checked = ["--health-cmd", "true", "--health-interval", "1s", "--memory", "64m", "--ulimit", "nofile=64"];
    const given = ["-v", "data:/data", "--tmpfs", "/t", "-p", "127.0.0.1:0:80", "--network", "lan", "-e", "A=1"];
    await engine.ok("run", "-d", "--name", "web", ...checked, ...given, "--label", "a=b", "busybox", "sleep", "60");
    const found = new Map<string, Problem>();
    for (const asked of ANSWERS) {
      const answer = reference.get(asked.name);
      if (answer === undefined) throw new Error(`the description has no ${asked.name}`);
      const told = await ask({ ...asked, path: filled(asked.path) });
      if (asked.name === "POST /containers/{id}/exec") exec = (told as { Id: string }[])[0]?.Id ?? "";
      expect(told.length > 0, `${asked.name} answers`).to.equal(answer.size > 0);
      for (const problem of told.flatMap((one) => problemsOf(one, answer))) {
        found.set(`${asked.name}: ${problem.kind} ${problem.path}`, problem);
      }
    }
    const isExcused = ({ kind, path }: Problem) =>
      (kind === "missing" && OMITTED.some((pattern) => pattern.test(path))) ||
      (kind === "wrong" && NULL_IN_DOCKER.some((pattern) => pattern.test(path))) ||
      (kind === "unknown" && OURS.some((pattern) => pattern.test(path)));
    expect([...found].filter(([, problem]) => !isExcused(problem)).map(([text]) => text)).to.deep.equal([]);
  });

  it("are tried for every endpoint whose answer the description tells", () => {
    const described = [...reference].filter(([, answer]) => answer.size > 0).map(([name]) => name);
    const tried = [...ANSWERS.map(({ name }) => name), ...NEVER];
    expect(described.filter((name) => !tried.includes(name))).to.deep.equal([]);
  });
});
