import { request } from "node:http";
import { json } from "node:stream/consumers";
import { expect } from "chai";
import { NULL_IN_DOCKER, OMITTED, OURS } from "../../api-reference/exceptions.ts";
import { type Problem, problemsOf, readReference } from "../../api-reference/reference.ts";
import { sharedEngine } from "../engine.ts";

/** What is asked for, and what the description calls it. */
const ANSWERS = [
  ["GET", "/containers/json?all=1&size=1", "GET /containers/json"],
  ["GET", "/containers/web/json?size=1", "GET /containers/{id}/json"],
  ["GET", "/containers/web/top", "GET /containers/{id}/top"],
  ["GET", "/images/json", "GET /images/json"],
  ["GET", "/images/busybox/json", "GET /images/{name}/json"],
  ["GET", "/images/busybox/history", "GET /images/{name}/history"],
  ["GET", "/info", "GET /info"],
  ["GET", "/version", "GET /version"],
  ["GET", "/system/df?verbose=1", "GET /system/df"],
  ["GET", "/networks", "GET /networks"],
  ["GET", "/networks/lan", "GET /networks/{id}"],
  ["GET", "/volumes", "GET /volumes"],
  ["GET", "/volumes/data", "GET /volumes/{name}"],
  ["POST", "/containers/prune", "POST /containers/prune"],
  ["POST", "/images/prune", "POST /images/prune"],
  ["POST", "/networks/prune", "POST /networks/prune"],
  ["POST", "/volumes/prune", "POST /volumes/prune"],
  ["POST", "/build/prune", "POST /build/prune"],
] as const;

describe("the Docker API's answers", function () {
  this.timeout(60_000);
  const engine = sharedEngine({ images: ["busybox"] });
  const reference = readReference();

  const ask = async (method: string, path: string): Promise<unknown> => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const asking = request({ socketPath: engine.daemon.socket, method, path: `/v1.56${path}` }, (response) =>
      json(response).then(resolve, reject),
    );
    asking.on("error", reject).end();
    return promise;
  };

  it("have the fields that Docker's description names, with their types", async () => {
    await engine.ok("network", "create", "lan");
    const checked = ["--health-cmd", "true", "--health-interval", "1s", "--memory", "64m", "--ulimit", "nofile=64"];
    const given = ["-v", "data:/data", "--tmpfs", "/t", "-p", "127.0.0.1:0:80", "--network", "lan", "-e", "A=1"];
    await engine.ok("run", "-d", "--name", "web", ...checked, ...given, "--label", "a=b", "busybox", "sleep", "60");
    const found = new Map<string, Problem>();
    for (const [method, path, name] of ANSWERS) {
      const answer = reference.get(name);
      if (answer === undefined) throw new Error(`the description has no ${name}`);
      for (const problem of problemsOf(await ask(method, path), answer)) {
        found.set(`${name}: ${problem.kind} ${problem.path}`, problem);
      }
    }
    const isExcused = ({ kind, path }: Problem) =>
      (kind === "missing" && OMITTED.some((pattern) => pattern.test(path))) ||
      (kind === "wrong" && NULL_IN_DOCKER.some((pattern) => pattern.test(path))) ||
      (kind === "unknown" && OURS.some((pattern) => pattern.test(path)));
    expect([...found].filter(([, problem]) => !isExcused(problem)).map(([text]) => text)).to.deep.equal([]);
  });
});
