import { join } from "node:path";
import { expect } from "chai";
import { LayersService } from "#proto/ctl/images/v1/layers.ts";
import { deadline, sleep } from "../../../services/kit/deadlines.ts";
import { Channel, connect } from "../../../services/kit/grpc/client.ts";
import { type Handlers, implement } from "../../../services/kit/grpc/handlers.ts";
import { createServer, listen } from "../../../services/kit/grpc/server.ts";
import { createLog } from "../../../services/kit/telemetry/log.ts";
import { temporaryDirectory } from "../../lab/temporary-directory.ts";

describe("a channel", () => {
  it("lets a call wait for a service that is not there yet", async () => {
    await using directory = await temporaryDirectory("channel");
    const path = join(directory.path, "late.sock");
    using channel = new Channel([`unix:${path}`], []);
    const answer = connect(LayersService, channel).usage({}, { signal: deadline(10_000, "call") });
    await sleep(300, deadline(5_000, "wait")); // several failed connections
    const server = await serve(path, 1);
    expect((await answer).imageCount).to.equal(1);
    await server.drain(0);
  });

  it("spreads calls over all replicas, and over those that are left when one is gone", async () => {
    await using directory = await temporaryDirectory("channel");
    const paths = [join(directory.path, "0.sock"), join(directory.path, "1.sock")];
    const servers = [await serve(paths[0] ?? "", 0), await serve(paths[1] ?? "", 1)];
    using channel = new Channel(
      paths.map((path) => `unix:${path}`),
      ["/ctl.images.v1.Layers/Usage"],
    );
    const client = connect(LayersService, channel);
    const ask = async () => (await client.usage({}, { signal: deadline(5_000, "call") })).imageCount;
    const answers = new Set<number>();
    for (let calls = 0; calls < 50 && answers.size < 2; calls++) answers.add(await ask());
    expect([...answers].sort()).to.deep.equal([0, 1]);
    await servers[0]?.drain(0);
    for (let calls = 0; calls < 10; calls++) expect(await ask()).to.equal(1);
    await servers[1]?.drain(0);
  });
});

async function serve(path: string, number: number) {
  const answer = { layerBytes: 0, blobBytes: 0, imageCount: number, layerCount: 0 };
  const handlers: Pick<Handlers<typeof LayersService>, "usage"> = { usage: async () => answer };
  const implementation = implement({ usage: LayersService.usage }, handlers, createLog("test", "error"));
  const server = createServer([{ definition: { usage: LayersService.usage }, implementation }]);
  await listen(server.server, `unix:${path}`);
  return server;
}
