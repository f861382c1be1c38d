import { expect } from "chai";
import { testDaemon } from "../lab/daemon.ts";
import { eventually } from "../lab/eventually.ts";
import { ok } from "../lab/ok.ts";
import {
  drawTrees,
  type OtlpReceiver,
  otlpReceiver,
  type ReceivedSpan,
  type SpanTree,
  spanTrees,
} from "../lab/otlp-receiver.ts";
import { testRegistry } from "../lab/registry.ts";

describe("tracing", function () {
  this.timeout(60_000);

  it("makes one trace of a command, from the CLI to SQL, registry, layers, mounts, nft and the runtime", async () => {
    await using receiver = await otlpReceiver();
    await using registry = await testRegistry();
    await registry.pushBusybox();
    const config = { registries: { "docker.io": { mirrors: [{ url: registry.url }] } } };
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint };
    await using daemon = await testDaemon({ config, env });

    await ok(
      daemon,
      "run",
      "-d",
      "-q",
      "--name",
      "web",
      "-p",
      "8080:80",
      "-v",
      "data:/data",
      "busybox",
      "sleep",
      "600",
    );

    const root = await eventually(() => commandOf(receiver, "run"), 15_000);
    const tree = await complete(receiver, root);
    const drawn = drawTrees([tree]);
    expect(spanTrees(receiver.spans, root.traceId), drawn).to.have.length(1); // no orphan
    const all = flat(tree);
    expect(new Set(all.map(({ span }) => span.service))).to.deep.equal(
      new Set(["ctl", "ctl-gateway", "ctl-images", "ctl-containers", "ctl-networks", "ctl-volumes"]),
    );
    const under = (name: RegExp, service: string) =>
      all.filter(({ span }) => name.test(span.name) && span.service === service);
    expect(under(/Gateway\/Run|gateway.*run/i, "ctl-gateway"), drawn).to.not.have.length(0);
    for (const [name, service] of [
      [/Pull/, "ctl-images"],
      [/registry|http/i, "ctl-images"],
      [/layer\.(download|fetch)/, "ctl-images"],
      [/layer\.extract/, "ctl-images"],
      [/Acquire/, "ctl-networks"],
      [/nft/, "ctl-networks"],
      [/Acquire/, "ctl-volumes"],
      [/mount/, "ctl-containers"],
      [/runtime|conmon|crun|monitor/, "ctl-containers"],
    ] as const) {
      expect(under(name, service), `${service} ${name} in\n${drawn}`).to.not.have.length(0);
    }
    for (const service of ["ctl-images", "ctl-containers", "ctl-networks", "ctl-volumes", "ctl-gateway"]) {
      const statements = all.filter(({ span }) => span.service === service && "db.query.text" in span.attributes);
      expect(statements, `SQL of ${service} in\n${drawn}`).to.not.have.length(0);
    }
  });

  it("has each hop below the one that called it, within its time", async () => {
    await using receiver = await otlpReceiver();
    await using daemon = await testDaemon({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint } });
    await ok(daemon, "ps");
    const root = await eventually(() => commandOf(receiver, "ps"), 15_000);
    const tree = await complete(receiver, root);
    expect(root.parentId).to.equal("");
    expect(root.service).to.equal("ctl");
    const chain = flat(tree).find(({ span }) => span.service === "ctl-containers" && span.kind === 2);
    expect(chain, drawTrees([tree])).to.not.equal(undefined);
    for (const { span, children } of flat(tree)) {
      for (const child of children)
        expect(child.span.startNs >= span.startNs - SKEW_NS, child.span.name).to.equal(true);
    }
  });

  it("records the error on the span that failed", async () => {
    await using receiver = await otlpReceiver();
    await using daemon = await testDaemon({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint } });
    expect((await daemon.ctl("start", "nobody")).exitCode).to.equal(1);
    const root = await eventually(() => commandOf(receiver, "start"), 15_000);
    const tree = await complete(receiver, root);
    const failed = flat(tree).filter(({ span }) => span.status.code === 2);
    expect(failed, drawTrees([tree])).to.not.have.length(0);
    const attributes = failed.map(({ span }) => span.attributes["ctl.error.code"]);
    expect(attributes).to.include("NOT_FOUND");
  });
});

/** Clocks of processes are one clock, but Node's spans round to a microsecond and more. */
const SKEW_NS = 2_000_000n;

function commandOf(receiver: OtlpReceiver, name: string): ReceivedSpan | undefined {
  return receiver.spans.find((span) => span.service === "ctl" && span.parentId === "" && span.name.includes(name));
}

/** Spans come in batches of half a second: waits until no more have come and none is an orphan. */
async function complete(receiver: OtlpReceiver, root: ReceivedSpan): Promise<SpanTree> {
  let count = 0;
  let since = performance.now();
  return await eventually(() => {
    const trees = spanTrees(receiver.spans, root.traceId);
    const now = trees.reduce((sum, tree) => sum + flat(tree).length, 0);
    if (now !== count) since = performance.now();
    count = now;
    if (performance.now() - since < 1_200) throw new Error("spans are still coming");
    return trees[0];
  }, 15_000);
}

function flat(tree: SpanTree): SpanTree[] {
  return [tree, ...tree.children.flatMap(flat)];
}
