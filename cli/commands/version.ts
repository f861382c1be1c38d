import { GatewayService, VersionRequest, type VersionResponse } from "#proto/ctl/gateway/v1/gateway.ts";
import { isCtlError } from "../../services/kit/errors.ts";
import { exitCode } from "../exit-code.ts";
import { describeFailure } from "../failure.ts";
import { command } from "../grammar/command.ts";
import { text } from "../grammar/flags.ts";
import { columns } from "../grammar/help.ts";
import { rfc3339 } from "../output/time.ts";
import { formatValue } from "../output/value.ts";
import { VERSION } from "../version.ts";

export const version = command({
  summary: "Show the versions of ctl and of the daemon",
  usage: "[OPTIONS]",
  flags: { format: text({ short: "f", help: "'json', or a Go template" }) },
  least: 0,
  most: 0,
  async run({ flags }, { daemon, stdout, stderr }) {
    const client = { Version: VERSION, Os: process.platform, Arch: architecture() };
    let server: VersionResponse | undefined;
    let code: number = exitCode.ok;
    try {
      server = await daemon.unary(GatewayService.version, VersionRequest.fromPartial({}));
    } catch (error) {
      if (!isCtlError(error)) throw error;
      // the client's own version is told all the same
      stderr.text(describeFailure(error));
      code = exitCode.failed;
    }
    if (flags.format !== undefined) {
      stdout.text(
        formatValue({ Client: client, Server: server === undefined ? null : serverFields(server) }, flags.format),
      );
      return code;
    }
    const sections = [section("Client:", client)];
    if (server !== undefined) sections.push(section("Server: ctld", serverFields(server)));
    stdout.text(sections.join("\n"));
    return code;
  },
});

function architecture(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}

function serverFields(server: VersionResponse) {
  return {
    Version: server.version,
    ApiVersion: server.dockerApi,
    MinAPIVersion: server.dockerApiMin,
    GitCommit: server.gitCommit,
    Node: server.runtimeNode,
    Postgres: server.postgres,
    Os: server.os,
    Arch: server.architecture,
    KernelVersion: server.kernel,
    BuildTime: server.buildTime === undefined ? "" : rfc3339(server.buildTime),
  };
}

const LABELS: Readonly<Record<string, string>> = {
  ApiVersion: "Docker API version",
  MinAPIVersion: "Minimum Docker API",
  GitCommit: "Git commit",
  KernelVersion: "Kernel",
  BuildTime: "Built",
};

function section(title: string, fields: Readonly<Record<string, string>>): string {
  const { Os, Arch, ...others } = fields;
  const rows = [...Object.entries(others), ["OS/Arch", `${Os}/${Arch}`] as const]
    .filter(([, value]) => value !== "")
    .map(([key, value]): [string, string] => [` ${LABELS[key] ?? key}:`, value]);
  return `${title}\n${columns(rows)}\n`;
}
