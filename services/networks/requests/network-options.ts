import { CtlError } from "../../kit/errors.ts";
import { BUILT_IN_NAMES, type StringMap } from "../network.ts";

/** What a bridge network's options mean. */
export interface BridgeOptions {
  /** Undefined: a name made from the network's id. */
  readonly name: string | undefined;
  readonly mtu: number | undefined;
  readonly isMasqueraded: boolean;
}

/** Docker's grammar. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/;
/** dev_valid_name of the kernel, without what nft's grammar would need quoting for. */
const LINK_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}$/;

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

/** Throws INVALID_ARGUMENT NETWORK_OPTION_INVALID, for an option that would be without effect too. */
export function parseOptions(options: StringMap): BridgeOptions {
  let parsed: BridgeOptions = { name: undefined, mtu: undefined, isMasqueraded: true };
  for (const [option, value] of Object.entries(options)) {
    switch (option) {
      case "com.docker.network.bridge.name":
        if (!LINK_NAME.test(value)) throw optionInvalid(option, value, "a link's name has 1 to 15 letters and digits");
        parsed = { ...parsed, name: value };
        break;
      case "com.docker.network.driver.mtu":
        parsed = { ...parsed, mtu: parseMtu(option, value) };
        break;
      case "com.docker.network.bridge.enable_ip_masquerade":
        parsed = { ...parsed, isMasqueraded: parseBoolean(option, value) };
        break;
      case "com.docker.network.bridge.enable_icc":
        if (!parseBoolean(option, value))
          throw optionInvalid(option, value, "containers of one network reach each other");
        break;
      case "com.docker.network.bridge.host_binding_ipv4":
        if (value !== "0.0.0.0") throw optionInvalid(option, value, "name the address with each -p instead");
        break;
      default:
        throw optionInvalid(option, value, "there is no such option");
    }
  }
  return parsed;
}

function parseMtu(option: string, value: string): number {
  const mtu = Number(value);
  if (/^\d+$/.test(value) && mtu >= 68 && mtu <= 65_535) return mtu;
  throw optionInvalid(option, value, "an MTU is 68 to 65535");
}

function parseBoolean(option: string, value: string): boolean {
  if (value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  throw optionInvalid(option, value, "it is true or false");
}

function optionInvalid(option: string, value: string, why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "NETWORK_OPTION_INVALID",
    what: `create a network with the option ${option}=${value}`,
    why,
    fix: "leave the option out",
  });
}
