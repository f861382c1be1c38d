import { context, SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { expect } from "chai";
import { drawTrees, otlpReceiver, spanTrees } from "../../lab/otlp-receiver.ts";

describe("the lab's OTLP receiver", () => {
  it("receives what the real exporter sends: parentage, service, attributes, errors", async () => {
    await using receiver = await otlpReceiver();
    const provider = new TracerProvider({
      resource: resourceFromAttributes({ "service.name": "ctl-images" }),
      spanProcessors: [new SimpleSpanProcessor({ exporter: new OTLPTraceExporter({ url: receiver.endpoint }) })],
    });
    const tracer = provider.getTracer("a-scope");
    const root = tracer.startSpan("image.pull", { attributes: { "ctl.count": 3, "ctl.names": ["a", "b"] } });
    const child = tracer.startSpan("layer.extract", {}, trace.setSpan(context.active(), root));
    child.recordException(new Error("no space"));
    child.setStatus({ code: SpanStatusCode.ERROR, message: "no space" });
    child.end();
    root.end();
    await provider.shutdown();

    const [first] = receiver.spans;
    const trees = spanTrees(receiver.spans, first?.traceId ?? "");
    expect(drawTrees(trees)).to.equal("ctl-images image.pull\n  ctl-images layer.extract\n");
    expect(trees[0]?.span).to.deep.include({ parentId: "", attributes: { "ctl.count": 3, "ctl.names": ["a", "b"] } });
    expect(trees[0]?.children[0]?.span.status).to.deep.equal({ code: 2, message: "no space" });
    expect(trees[0]?.children[0]?.span.events[0]?.attributes["exception.message"]).to.equal("no space");
    expect([...receiver.scopes]).to.deep.equal(["a-scope"]);
  });
});
