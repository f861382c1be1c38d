import { NetworksService } from "#proto/ctl/networks/v1/networks.ts";
import type { ForeignChain, ListRulesResponse, PublishedRule } from "#proto/ctl/networks/v1/rules.ts";
import { command } from "../../grammar/command.ts";
import { parsed } from "../../grammar/flags.ts";
import { alignCells } from "../../output/table.ts";
import { choiceOf } from "../../values/choice.ts";

export const listNetworkRules = command({
  summary: "Show what of the host's packet filter concerns containers, as it is in force, and why",
  usage: "[OPTIONS]",
  flags: { format: parsed({ help: "table (default) or json" }, choiceOf("table", "json")) },
  least: 0,
  most: 0,
  async run({ flags }, { daemon, stdout }) {
    const rules = await daemon.unary(NetworksService.listRules, {});
    stdout.text(flags.format === "json" ? `${JSON.stringify(rules, null, 2)}\n` : draw(rules));
    return 0;
  },
});

function draw({ table, firewall, rules, ports, chains, refused }: ListRulesResponse): string {
  const cells = rules.map(({ chain, text, why }) => [chain, text, why === "" ? "a rule of this host's owner" : why]);
  return [
    `table inet ${table}\n`,
    alignCells([["CHAIN", "RULE", "WHY"], ...cells]),
    ...refused.map((rule) => `left out, nftables refused it: ${rule}\n`),
    "\npublished ports\n",
    ports.length === 0 ? "none\n" : alignCells([["HOST", "CONTAINER", "NAME"], ...ports.map(portCells)]),
    `\nchains of others that see what is forwarded (firewall: ${firewall})\n`,
    chains.length === 0
      ? "none\n"
      : alignCells([["TABLE", "CHAIN", "POLICY", "PUBLISHED PORTS"], ...chains.map(chainCells)]),
    ...chains.filter(({ isDropping }) => isDropping).map(({ command: open }) => `to open it: ${open}\n`),
  ].join("");
}

function portCells({
  hostIp,
  hostPort,
  protocol,
  address,
  containerPort,
  holder,
  holderName,
}: PublishedRule): string[] {
  const any = address.includes(":") ? "::" : "0.0.0.0";
  const name = holderName === "" ? holder.slice(0, 12) : holderName;
  return [`${at(hostIp === "" ? any : hostIp, hostPort)}/${protocol}`, at(address, containerPort), name];
}

function at(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function chainCells({ family, table, chain, policy, isDropping, by, hasOurRule }: ForeignChain): string[] {
  const dropped = by === "" ? `policy ${policy}` : by;
  const verdict = isDropping ? `dropped by: ${dropped}` : hasOurRule ? "pass, by ctl's own rule there" : "pass";
  return [`${family} ${table}`, chain, policy, verdict];
}
