import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import {
  isShipped,
  type LogConfig,
  parseLogConfig,
  requireReadable,
  withDefaults,
} from "../../../../../services/containers/logs/drivers/driver.ts";
import { policyOf } from "../../../../../services/containers/logs/drivers/option-values.ts";
import { formatMessage } from "../../../../../services/containers/logs/drivers/syslog/format.ts";
import { parseSyslogOptions } from "../../../../../services/containers/logs/drivers/syslog/options.ts";
import { parseTag } from "../../../../../services/containers/logs/drivers/tag.ts";
import { CtlError } from "../../../../../services/kit/errors.ts";
import { temporaryDirectory } from "../../../../lab/temporary-directory.ts";

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof CtlError) return `${error.reason}: ${error.why}`;
    throw error;
  }
  return "nothing was refused";
}

const policy = (options: Record<string, string>) => policyOf(parseLogConfig("json-file", options));

describe("a log driver", () => {
  it("is json-file where none is named, capped at five compressed files of 20 MB", () => {
    const config = parseLogConfig("", {});
    expect(config.driver).to.equal("json-file");
    expect(policyOf(config)).to.deep.equal({ maxBytes: 20_000_000, maxFiles: 5, compress: true });
  });

  it("that nobody knows is refused in Docker's words, and so is an option", () => {
    expect(refusal(() => parseLogConfig("gelf", {}))).to.equal(
      "LOG_DRIVER_UNKNOWN: logger: no log driver named 'gelf' is registered",
    );
    expect(refusal(() => parseLogConfig("json-file", { "max-files": "2" }))).to.equal(
      "LOG_OPTION_UNKNOWN: unknown log opt 'max-files' for json-file log driver",
    );
    expect(refusal(() => parseLogConfig("syslog", { "max-size": "2m" }))).to.match(/^LOG_OPTION_UNKNOWN/);
    expect(parseLogConfig("none", { whatever: "1" }).driver).to.equal("none");
  });

  it("takes sizes as Docker's decimal ones", () => {
    expect(policy({ "max-size": "10m", "max-file": "3" })).to.deep.include({ maxBytes: 10_000_000, maxFiles: 3 });
    expect(policy({ "max-size": "1.5k" }).maxBytes).to.equal(1_500);
    expect(policy({ "max-size": "512" }).maxBytes).to.equal(512);
    expect(policy({ "max-size": "2GiB", compress: "false" })).to.deep.include({ maxBytes: 2e9, compress: false });
  });

  it("refuses values that make no sense, naming the option", () => {
    const invalid: Record<string, string>[] = [
      { "max-size": "0" },
      { "max-size": "-1" },
      { "max-size": "much" },
      { "max-file": "0" },
      { compress: "perhaps" },
      { compress: "true", "max-file": "1" },
      { mode: "fast" },
      { "max-buffer-size": "4m" },
      { "labels-regex": "(" },
      { tag: "{{.Nothing}}" },
      { tag: "{{.ID" },
    ];
    for (const options of invalid) {
      expect(
        refusal(() => parseLogConfig("json-file", options)),
        JSON.stringify(options),
      ).to.match(/^LOG_OPTION_INVALID/);
    }
    expect(parseLogConfig("json-file", { mode: "non-blocking", "max-buffer-size": "4m" }).driver).to.equal("json-file");
  });

  it("keeps a copy of what is sent on, with the cache's options", () => {
    const config = parseLogConfig("syslog", { "cache-max-size": "1m", "cache-max-file": "2" });
    expect(isShipped(config)).to.equal(true);
    expect(policyOf(config)).to.deep.equal({ maxBytes: 1_000_000, maxFiles: 2, compress: true });
    expect(isShipped(parseLogConfig("local", {}))).to.equal(false);
  });

  it("of the daemon's is taken by who names none, its options by who uses it", () => {
    const defaults: LogConfig = { driver: "local", options: { "max-size": "1m", tag: "x" } };
    expect(withDefaults("", { tag: "y" }, defaults)).to.deep.equal({
      logDriver: "local",
      logOptions: { "max-size": "1m", tag: "y" },
    });
    expect(withDefaults("json-file", {}, defaults)).to.deep.equal({ logDriver: "json-file", logOptions: {} });
  });

  it("that keeps nothing to read says so", () => {
    const why = "LOGS_NOT_READABLE: configured logging driver does not support reading";
    expect(refusal(() => requireReadable(parseLogConfig("none", {}), "box"))).to.equal(why);
    expect(refusal(() => requireReadable(parseLogConfig("syslog", { "cache-disabled": "true" }), "box"))).to.equal(why);
    requireReadable(parseLogConfig("syslog", {}), "box");
    requireReadable(undefined, "box");
  });
});

describe("a log tag", () => {
  const facts = {
    id: "a".repeat(64),
    name: "web",
    imageId: `sha256:${"b".repeat(64)}`,
    image: "nginx:1",
    command: ["nginx", "-g", "daemon off;"],
    hostname: "host",
  };
  const tag = (template: string) => parseTag(template)(facts);

  it("has Docker's fields and text between them", () => {
    expect(tag("{{.ImageName}}/{{.Name}}/{{ .ID }}")).to.equal("nginx:1/web/aaaaaaaaaaaa");
    expect(tag("{{.FullID}} {{.ImageID}} {{.ImageFullID}}")).to.equal(`${facts.id} bbbbbbbbbbbb ${facts.imageId}`);
    expect(tag("{{.Command}} on {{.Hostname}} by {{.DaemonName}}")).to.equal("nginx -g daemon off; on host by ctl");
    expect(tag("plain")).to.equal("plain");
  });
});

describe("syslog's options", () => {
  const address = (text: string, more: Record<string, string> = {}) =>
    parseSyslogOptions({ "syslog-address": text, ...more }).address;

  it("have addresses of sockets, of UDP, TCP and TLS, with 514 as the port", async () => {
    await using dir = await temporaryDirectory("syslog");
    const path = join(dir.path, "log");
    await writeFile(path, "");
    expect(address(`unix://${path}`)).to.deep.equal({ kind: "unix", path });
    expect(address(`unixgram://${path}`)).to.deep.equal({ kind: "unixgram", path });
    expect(address("udp://10.0.0.1:5514")).to.deep.equal({ kind: "udp", host: "10.0.0.1", port: 5514 });
    expect(address("tcp://[::1]")).to.deep.equal({ kind: "tcp", host: "::1", port: 514 });
    expect(address("tcp+tls://logs.example", { "syslog-tls-ca-cert": path })).to.deep.equal({
      kind: "tls",
      host: "logs.example",
      port: 514,
      tls: { caPath: path, certPath: "", keyPath: "", skipVerify: false },
    });
    expect(parseSyslogOptions({}).address).to.deep.include({ kind: "unixgram" });
  });

  it("refuse what they do not know", () => {
    expect(refusal(() => address("unix:///no/such/socket"))).to.match(/there is no socket/);
    expect(refusal(() => address("http://x"))).to.match(/unsupported scheme: 'http'/);
    expect(refusal(() => address("udp://:99999"))).to.match(/SCHEME:\/\/HOST/);
    expect(refusal(() => parseSyslogOptions({ "syslog-facility": "chief" }))).to.match(/invalid syslog facility/);
    expect(refusal(() => parseSyslogOptions({ "syslog-format": "xml" }))).to.match(/Invalid syslog format/);
    expect(refusal(() => address("tcp+tls://x", { "syslog-tls-cert": "/no/such" }))).to.match(/no such file/);
  });

  it("name facilities by word or number", () => {
    const facility = (text: string) => parseSyslogOptions({ "syslog-facility": text }).facility;
    expect([facility(""), facility("kern"), facility("local7"), facility("16")]).to.deep.equal([3, 0, 23, 16]);
  });
});

describe("a syslog message", () => {
  const timeNs = BigInt(Date.UTC(2026, 0, 2, 15, 4, 5)) * 1_000_000n + 123_456_789n;
  const sender = { facility: 3, hostname: "host", tag: "web", pid: 7, isCounted: false } as const;
  const message = { stream: "stderr", timeNs, content: Buffer.from("oh no") } as const;

  it("has Docker's four forms, and the severity of its stream", () => {
    const form = (format: "" | "rfc3164" | "rfc5424" | "rfc5424micro") =>
      formatMessage(message, { ...sender, format }).toString();
    expect(form("")).to.match(/^<27>Jan {2}[123] \d\d:\d\d:\d\d web\[7\]: oh no\n$/);
    expect(form("rfc3164")).to.match(/^<27>Jan {2}[123] \d\d:\d\d:\d\d host web\[7\]: oh no\n$/);
    expect(form("rfc5424")).to.equal("<27>1 2026-01-02T15:04:05Z host web 7 web - oh no\n");
    expect(form("rfc5424micro")).to.equal("<27>1 2026-01-02T15:04:05.123456Z host web 7 web - oh no\n");
    expect(formatMessage({ ...message, stream: "stdout" }, { ...sender, format: "" }).toString()).to.match(/^<30>/);
  });

  it("has its length before it over TLS, in the newer formats", () => {
    const counted = { ...sender, isCounted: true };
    const text = "<27>1 2026-01-02T15:04:05Z host web 7 web - oh no\n";
    expect(formatMessage(message, { ...counted, format: "rfc5424" }).toString()).to.equal(`${text.length} ${text}`);
    expect(formatMessage(message, { ...counted, format: "rfc3164" }).toString()).to.match(/^<27>/);
  });
});
