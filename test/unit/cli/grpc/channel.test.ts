import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import type { handleUnaryCall } from "@grpc/grpc-js";
import { expect } from "chai";
import {
  AttachResponse,
  ContainersService,
  type InspectContainerRequest,
  InspectContainerResponse,
  ListContainersResponse,
  ReadLogsResponse,
} from "#proto/ctl/containers/v1/containers.ts";
import { CtlError } from "../../../../services/kit/errors.ts";
import { type Handlers, implement } from "../../../../services/kit/grpc/handlers.ts";
import { createServer, listen } from "../../../../services/kit/grpc/server.ts";
import { createLog } from "../../../../services/kit/telemetry/log.ts";
import { eventually } from "../../../lab/eventually.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";
import { RUNTIMES } from "../programs.ts";
import type { Outcome } from "./exercise.ts";

const MEGABYTES = 64;
/** Of the whole process; the stream's window is 1 MiB. */
const PEAK_BYTES = 256 << 20;
describe("the CLI's gRPC client", function () {
  this.timeout(120_000);

  for (const [name, runtime] of RUNTIMES) {
    it(`speaks with grpc-js from ${name}: calls, errors, streams both ways, deadlines, cancellation`, async () => {
      await using server = await serve();
      const program = join(import.meta.dirname, "exercise.ts");
      const { stdout } = await promisify(execFile)(runtime, [program, server.socket, String(MEGABYTES)]);
      await expectAll(JSON.parse(stdout), server);
    });
  }
});

async function expectAll(outcome: Outcome, server: { readonly cancelled: readonly string[] }): Promise<void> {
  const sha256 = expectedHash();
  expect(outcome.nameBytes).to.equal(Array.from({ length: 3000 }, (_, index) => nameOf(index)).join("").length);
  expect(outcome.failure).to.deep.equal({
    code: "NOT_FOUND",
    reason: "CONTAINER_NOT_FOUND",
    what: 'inspect container "missing"',
    why: "no container is called “missing”",
    fix: "ctl ps -a lists them",
  });
  expect(outcome.metadata).to.equal("00-1-2-01");
  expect(outcome.streamed).to.deep.equal({ bytes: MEGABYTES << 20, sha256 });
  expect(outcome.echoed).to.deep.equal({ bytes: MEGABYTES << 20, sha256, exitCode: 7 });
  expect(outcome.peakBytes).to.be.below(PEAK_BYTES);
  expect(outcome.late).to.equal("DEADLINE_EXCEEDED");
  expect(outcome.cancelled).to.equal("CANCELLED");
  await eventually(() => server.cancelled.includes("endless"));
}

/** Together over the windows that the connection begins with. */
function nameOf(index: number): string {
  return `container-${index}`.repeat(40);
}

function expectedHash(): string {
  const hash = createHash("sha256");
  for (let index = 0; index < MEGABYTES * 16; index++) hash.update(Buffer.alloc(65_536, index % 251));
  return hash.digest("hex");
}

async function serve() {
  const directory = await temporaryDirectory("grpc");
  const socket = join(directory.path, "s.sock");
  const cancelled: string[] = [];
  const running = createServer([{ definition: ContainersService, implementation: implementation(cancelled) }]);
  await listen(running.server, `unix:${socket}`);
  return {
    socket,
    cancelled,
    async [Symbol.asyncDispose]() {
      running.server.forceShutdown();
      await directory[Symbol.asyncDispose]();
    },
  };
}

function implementation(cancelled: string[]) {
  const handlers: Partial<Handlers<ContainersService>> = {
    listContainers: async () =>
      ListContainersResponse.fromPartial({
        containers: Array.from({ length: 3000 }, (_, index) => ({ name: nameOf(index) })),
      }),
    inspectContainer: async ({ ref }, call) => {
      if (ref === "missing") {
        throw new CtlError("NOT_FOUND", {
          reason: "CONTAINER_NOT_FOUND",
          what: 'inspect container "missing"',
          why: "no container is called “missing”",
          fix: "ctl ps -a lists them",
        });
      }
      if (ref === "never") await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
      return InspectContainerResponse.fromPartial({ container: { name: ref } });
    },
    readLogs: async function* ({ ref, tail = 0 }, call) {
      call.signal.addEventListener("abort", () => cancelled.push(ref));
      for (let index = 0; ref === "endless" || index < tail * 16; index++)
        yield ReadLogsResponse.fromPartial({ records: [{ data: Buffer.alloc(65_536, index % 251) }] });
    },
    attach: async function* (requests) {
      for await (const { input } of requests) {
        if (input?.$case === "stdin")
          yield AttachResponse.fromPartial({ event: { $case: "output", value: { data: input.value } } });
      }
      yield AttachResponse.fromPartial({ event: { $case: "exit", value: { exitCode: 7 } } });
    },
  };
  const adapted = implement(ContainersService, handlers as Handlers<ContainersService>, createLog("test", "error"));
  const inner = adapted["inspectContainer"] as handleUnaryCall<InspectContainerRequest, InspectContainerResponse>;
  return { ...adapted, inspectContainer: seeingMetadata(inner) };
}

/** The kit's handlers do not show a call's metadata. */
function seeingMetadata(
  inner: handleUnaryCall<InspectContainerRequest, InspectContainerResponse>,
): handleUnaryCall<InspectContainerRequest, InspectContainerResponse> {
  return (call, answer) => {
    if (call.request.ref !== "metadata") return inner(call, answer);
    const name = String(call.metadata.get("traceparent")[0]);
    return answer(null, InspectContainerResponse.fromPartial({ container: { name } }));
  };
}
