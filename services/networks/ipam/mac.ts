import { createHash } from "node:crypto";
import { CtlError } from "../../kit/errors.ts";
import { parseAddress } from "./address.ts";

/**
 * Docker's way: 02:42 and the IPv4 address. An address keeps its MAC whichever container has it, so no neighbour's ARP
 * cache is ever wrong. IPv6 has more bits than there is room for: four bytes of its hash.
 */
export function macOfAddress(address: string): string {
  const { family, bytes } = parseAddress(address);
  const tail = family === 4 ? bytes : createHash("sha256").update(bytes).digest().subarray(0, 4);
  return formatMac(Buffer.concat([Buffer.from([0x02, 0x42]), tail]));
}

/** A locally administered address of a bridge, from four bytes: the network id's, so that it is the same every time. */
export function macOfBytes(bytes: Uint8Array): string {
  return formatMac(Buffer.concat([Buffer.from([0x02, 0x42]), bytes.subarray(0, 4)]));
}

/** A unicast MAC in lower case with colons. Throws INVALID_ARGUMENT MAC_INVALID. */
export function parseMac(text: string): string {
  const mac = text.toLowerCase().replaceAll("-", ":");
  const isMac = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac);
  if (isMac && (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0 && mac !== "00:00:00:00:00:00") return mac;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "MAC_INVALID",
    what: `read the MAC address "${text}"`,
    why: isMac ? "it names a group or nobody, not one interface" : "it is not six bytes in hexadecimal",
    fix: "write it like 02:42:ac:11:00:02",
  });
}

function formatMac(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString("hex")
    .replace(/..(?=.)/g, "$&:");
}
