import { expect } from "chai";
import { otlpReceiver } from "../../../lab/otlp-receiver.ts";
import { ctl, RUNTIMES } from "../programs.ts";

describe("a command's trace", function () {
  this.timeout(20_000);

  for (const [name, runtime] of RUNTIMES) {
    it(`reaches the collector from ${name}, with the failure on it, below the caller's`, async () => {
      await using receiver = await otlpReceiver();
      const env = {
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
        OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
        TRACEPARENT: "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
        CTL_HOST: "unix:///nowhere/ctl.sock",
      };
      const { code, stderr } = await ctl(runtime, ["ps"], env);
      expect(stderr).to.include("no daemon is running there");
      expect(code).to.equal(1);
      expect(receiver.spans).to.have.length(1);
      expect(receiver.spans[0]).to.deep.include({
        service: "ctl",
        name: "ctl ps",
        traceId: "0123456789abcdef0123456789abcdef",
        parentId: "0123456789abcdef",
        kind: 1,
      });
      expect(receiver.spans[0]?.status).to.deep.include({ code: 2 });
      expect(receiver.spans[0]?.attributes).to.include({
        "ctl.error.code": "UNAVAILABLE",
        "ctl.error.reason": "DAEMON_UNREACHABLE",
      });
    });

    it(`costs a line on stderr from ${name} when there is no collector, and nothing else`, async () => {
      const { code, stdout, stderr } = await ctl(runtime, ["port", "web"], {
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
        CTL_HOST: "unix:///nowhere/ctl.sock",
      });
      expect({ code, stdout }).to.deep.equal({ code: 1, stdout: "" });
      expect(stderr).to.include("the trace could not be sent to http://127.0.0.1:1");
    });
  }
});
