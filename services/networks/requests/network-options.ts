import { isIPv4 } from "node:net";
import { CtlError } from "../../kit/errors.ts";
import { BUILT_IN_NAMES, type DriverSettings, GATEWAY_MODES, type GatewayMode, type StringMap } from "../network.ts";

/** What a bridge network's options mean. */
export interface BridgeOptions {
  /** Undefined: a name made from the network's id. */
  readonly name: string | undefined;
  readonly mtu: number | undefined;
  readonly isMasqueraded: boolean;
  readonly settings: DriverSettings;
}

/** Docker's grammar. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/;
/** dev_valid_name of the kernel, without what nft's grammar would need quoting for. */
const LINK_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}$/;
/** A number follows. */
const LINK_PREFIX = /^[a-zA-Z][a-zA-Z0-9_.-]{0,11}$/;

type Read = (value: string, option: string) => Partial<Omit<BridgeOptions, "settings">> & DriverSettings;

const BRIDGE = "com.docker.network.bridge.";

/** Docker's options of the driver; its long-gone ones are refused like any other. */
const OPTIONS: Readonly<Record<string, Read>> = {
  [`${BRIDGE}name`]: (value, option) => {
    if (!LINK_NAME.test(value)) throw optionInvalid(option, value, "a link's name has 1 to 15 letters and digits");
    return { name: value };
  },
  "com.docker.network.driver.mtu": (value, option) => ({ mtu: parseMtu(option, value) }),
  [`${BRIDGE}enable_ip_masquerade`]: (value, option) => ({ isMasqueraded: parseBoolean(option, value) }),
  [`${BRIDGE}enable_icc`]: (value, option) => (parseBoolean(option, value) ? {} : { isIsolated: true }),
  [`${BRIDGE}inhibit_ipv4`]: (value, option) => (parseBoolean(option, value) ? { hasNoIpv4Gateway: true } : {}),
  [`${BRIDGE}host_binding_ipv4`]: (value, option) => {
    if (!isIPv4(value)) throw optionInvalid(option, value, "it is no IPv4 address");
    return value === "0.0.0.0" ? {} : { hostBinding: value };
  },
  [`${BRIDGE}gateway_mode_ipv4`]: (value, option) => ({ gatewayMode: parseGatewayMode(option, value) }),
  [`${BRIDGE}gateway_mode_ipv6`]: (value, option) => ({ gatewayMode6: parseGatewayMode(option, value) }),
  "com.docker.network.container_iface_prefix": (value, option) => {
    if (!LINK_PREFIX.test(value)) throw optionInvalid(option, value, "a prefix has 1 to 12 letters and digits");
    return { interfacePrefix: value };
  },
};

/** Throws INVALID_ARGUMENT NETWORK_NAME_INVALID. */
export function parseNetworkName(name: string): string {
  const isReserved = name === "default" || BUILT_IN_NAMES.some((one) => one === name);
  if (NAME.test(name) && !isReserved) return name;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "NETWORK_NAME_INVALID",
    what: `create a network called "${name.slice(0, 300)}"`,
    why: isReserved
      ? "the engine's own network has that name"
      : "it is not up to 255 of the characters a-z, A-Z, 0-9, _, . and -, the first a letter or a digit",
    fix: "choose another name",
  });
}

/** Throws INVALID_ARGUMENT NETWORK_DRIVER_INVALID; UNIMPLEMENTED NETWORK_DRIVER_UNSUPPORTED; NOT_FOUND NETWORK_DRIVER_NOT_FOUND. */
export function checkDriver(driver: string): void {
  if (driver === "" || driver === "bridge" || driver === "default") return;
  const what = `create a network with the driver "${driver}"`;
  if (driver === "host" || driver === "none" || driver === "null") {
    const why = "there is one network of that kind, and it exists already";
    throw new CtlError("INVALID_ARGUMENT", { reason: "NETWORK_DRIVER_INVALID", what, why });
  }
  if (driver === "macvlan" || driver === "ipvlan" || driver === "overlay") {
    const facts = { why: "that driver is not supported yet", fix: "use the driver bridge" };
    throw new CtlError("UNIMPLEMENTED", { reason: "NETWORK_DRIVER_UNSUPPORTED", what, ...facts });
  }
  const facts = { why: "there is no such driver", fix: "use the driver bridge" };
  throw new CtlError("NOT_FOUND", { reason: "NETWORK_DRIVER_NOT_FOUND", what, ...facts });
}

/** Options that the driver does not know are kept and without effect, as in Docker. Throws INVALID_ARGUMENT NETWORK_OPTION_INVALID. */
export function parseOptions(options: StringMap, isInternal: boolean): BridgeOptions {
  const read = Object.entries(options).map(([option, value]) => OPTIONS[option]?.(value, option) ?? {});
  const { name, mtu, isMasqueraded = true, ...settings } = Object.assign({}, ...read) as ReturnType<Read>;
  for (const [option, mode] of [
    [`${BRIDGE}gateway_mode_ipv4`, settings.gatewayMode],
    [`${BRIDGE}gateway_mode_ipv6`, settings.gatewayMode6],
  ] as const) {
    if (mode === "isolated" && !isInternal)
      throw optionInvalid(option, mode, "only an internal network has no gateway");
  }
  return { name, mtu, isMasqueraded, settings };
}

function parseMtu(option: string, value: string): number {
  const mtu = Number(value);
  if (/^\d+$/.test(value) && mtu >= 68 && mtu <= 65_535) return mtu;
  throw optionInvalid(option, value, "an MTU is 68 to 65535");
}

/** As Go's strconv.ParseBool. */
function parseBoolean(option: string, value: string): boolean {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(value)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(value)) return false;
  throw optionInvalid(option, value, "it is true or false");
}

function parseGatewayMode(option: string, value: string): GatewayMode {
  const mode = GATEWAY_MODES.find((one) => one === value);
  if (mode !== undefined) return mode;
  throw optionInvalid(option, value, `it is one of ${GATEWAY_MODES.join(", ")}`);
}

function optionInvalid(option: string, value: string, why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "NETWORK_OPTION_INVALID",
    what: `create a network with the option ${option}=${value}`,
    why,
    fix: "leave the option out",
  });
}
