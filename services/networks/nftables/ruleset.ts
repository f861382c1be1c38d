import { CtlError } from "../../kit/errors.ts";
import { inSpan } from "../../kit/telemetry/trace.ts";
import type { NetworksThread } from "../thread/start.ts";
import type { BridgeRules } from "./bridges.ts";
import { type Fingerprints, parseTable, tableFingerprints } from "./listing.ts";
import { isSamePort, isSameTarget, type PortRule, portElements, portKey, portMap } from "./ports.ts";
import { addBridgeScript, rebuildScript, removeBridgeScript, removeTableScript, type TableState } from "./table.ts";
import { parseUserRules, USER_CHAIN, type UserRules } from "./user-rules.ts";

export interface PortChange {
  readonly add: readonly PortRule[];
  readonly remove: readonly PortRule[];
}

/** One by one they cost 0.2 ms each, the whole table with a thousand 20 ms. */
const LOOKED_UP_SINGLY = 50;

/** nftables said no. The transaction that it refused changed nothing. */
export class NftRefusal extends Error {
  override readonly name = "NftRefusal";
  readonly kind: "exists" | "missing" | "other";

  constructor(text: string) {
    super(text);
    if (text.includes("File exists")) this.kind = "exists";
    else if (text.includes("No such file or directory")) this.kind = "missing";
    else this.kind = "other";
  }
}

/**
 * The instance's nftables table. Each method is one transaction; a packet sees the table before it or behind it. They
 * run one after the other. Throws INTERNAL NFT_REFUSED with nftables' own words.
 */
export class Ruleset {
  readonly #thread: NetworksThread;
  readonly #table: string;
  readonly #userRules: UserRules;
  #fingerprints: Fingerprints | undefined;
  #refusedUserRules: readonly string[] = [];
  #readWanted: (() => Promise<TableState>) | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(thread: NetworksThread, table: string, userRules: UserRules) {
    this.#thread = thread;
    this.#table = table;
    this.#userRules = userRules;
  }

  /**
   * The whole table anew. The state is read while no other change runs: a change whose rows were committed before is in
   * it, one that comes later waits and is added behind it.
   */
  rebuild(readState: () => Promise<TableState>): Promise<void> {
    this.#readWanted = readState;
    return this.#alone(() => this.#rebuild(readState));
  }

  addBridge(bridge: BridgeRules): Promise<void> {
    return this.#alone(() => this.#change(addBridgeScript(this.#table, bridge)));
  }

  removeBridge(bridge: BridgeRules): Promise<void> {
    return this.#alone(() => this.#change(removeBridgeScript(this.#table, bridge)));
  }

  /**
   * Takes mappings away and gives new ones, all or nothing, 0.1 ms. What is already so is no error; a mapping that leads
   * elsewhere is replaced when it is to be added, and left alone when it is to be removed.
   */
  changePorts(change: PortChange): Promise<void> {
    if (change.add.length + change.remove.length === 0) return Promise.resolve();
    return this.#alone(async () => {
      try {
        await this.#apply(changeScript(this.#table, change));
      } catch (error) {
        if (!isConflict(error)) throw error;
        await this.#restoreIfGone();
        await this.#apply(changeScript(this.#table, fittingChange(change, (await this.#readState()).ports)));
      }
    });
  }

  /**
   * Takes mappings away that lead where they are said to lead: one that leads elsewhere by now is somebody else's, and
   * nftables would delete it by its key alone. What is not there is no error. 0.2 ms a port; many are looked up at once.
   */
  removePorts(ports: readonly PortRule[]): Promise<void> {
    if (ports.length === 0) return Promise.resolve();
    return this.#alone(async () => {
      const present = await (ports.length > LOOKED_UP_SINGLY ? this.#mappedAmong(ports) : this.#mappedOf(ports));
      if (present.length > 0) await this.#apply(changeScript(this.#table, { add: [], remove: present }));
    });
  }

  /**
   * Makes the mappings as they should be, reading that while no other change runs; what is right stays untouched. Returns
   * what was wrong.
   */
  mendPorts(readPorts: () => Promise<readonly PortRule[]>): Promise<PortChange> {
    return this.#alone(async () => {
      await this.#restoreIfGone();
      const { ports: present } = await this.#readState();
      const wanted = await readPorts();
      const change = {
        add: wanted.filter((port) => !present.some((one) => isSamePort(one, port) && isSameTarget(one, port))),
        remove: present.filter((one) => !wanted.some((port) => isSamePort(one, port) && isSameTarget(one, port))),
      };
      if (change.add.length + change.remove.length > 0) await this.#apply(changeScript(this.#table, change));
      return change;
    });
  }

  /** What the table says now; undefined: there is none. */
  async read(): Promise<TableState | undefined> {
    try {
      return await this.#readState();
    } catch (error) {
      if (error instanceof CtlError && error.cause instanceof NftRefusal && error.cause.kind === "missing")
        return undefined;
      throw error;
    }
  }

  /** False when somebody flushed or changed our chains since the last rebuild. Elements are not looked at. 2 ms. */
  async isIntact(): Promise<boolean> {
    const now = await this.#readFingerprints();
    if (now === undefined || now.own !== this.#fingerprints?.own) return false;
    if (now.user === this.#fingerprints.user) return true;
    await this.#userRules.remember((await this.#presentUserRules()) ?? []);
    this.#fingerprints = now;
    return true;
  }

  /** Rules of its user that nftables did not take when the table was made anew, with what they were. */
  refusedUserRules(): readonly string[] {
    return this.#refusedUserRules;
  }

  remove(): Promise<void> {
    return this.#alone(() => this.#apply(removeTableScript(this.#table)));
  }

  async #rebuild(readState: () => Promise<TableState>): Promise<void> {
    const present = await this.#presentUserRules();
    const userRules = present ?? (await this.#userRules.recall());
    const state = await readState();
    this.#refusedUserRules = [];
    try {
      await this.#apply(rebuildScript(this.#table, { ...state, userRules }));
    } catch (error) {
      if (userRules.length === 0) throw error;
      // they name what is not there: ours must not be missing for that
      await this.#apply(rebuildScript(this.#table, { ...state, userRules: [] }));
      this.#refusedUserRules = userRules;
    }
    this.#fingerprints = await this.#readFingerprints();
    if (present !== undefined) await this.#userRules.remember(present);
  }

  /** Undefined: somebody flushed all rules, or all of the table's, which was not meant for these alone. */
  async #presentUserRules(): Promise<string[] | undefined> {
    const rules = parseUserRules(await this.#textOf(USER_CHAIN));
    if (rules.length > 0) return rules;
    return (await this.#textOf("forward")).includes(`jump ${USER_CHAIN}`) ? [] : undefined;
  }

  /** Empty: there is no such chain. */
  async #textOf(chain: string): Promise<string> {
    const script = `list chain inet ${this.#table} ${chain}`;
    const outcome = await this.#thread.call("nft", { script, output: "none" });
    return outcome.isApplied ? outcome.output : "";
  }

  /** A change of what somebody has flushed a moment ago: nobody need wait for the next look at the table. */
  async #change(script: string): Promise<void> {
    try {
      await this.#apply(script);
    } catch (error) {
      if (!isConflict(error)) throw error;
      await this.#restoreIfGone();
      await this.#apply(script);
    }
  }

  async #restoreIfGone(): Promise<void> {
    if (this.#readWanted !== undefined && (await this.#readFingerprints()) === undefined)
      await this.#rebuild(this.#readWanted);
  }

  async #mappedAmong(ports: readonly PortRule[]): Promise<PortRule[]> {
    const targets = new Map((await this.read())?.ports.map((one) => [`${portMap(one)} ${portKey(one)}`, one]));
    return ports.filter((port) => {
      const mapped = targets.get(`${portMap(port)} ${portKey(port)}`);
      return mapped !== undefined && isSameTarget(mapped, port);
    });
  }

  async #mappedOf(ports: readonly PortRule[]): Promise<PortRule[]> {
    const present: PortRule[] = [];
    for (const port of ports) if (await this.#isMapped(port)) present.push(port);
    return present;
  }

  /** `get element` answers in text only (nft 1.0.6), the element as it was added. */
  async #isMapped(port: PortRule): Promise<boolean> {
    const script = `get element inet ${this.#table} ${portMap(port)} { ${portKey(port)} }`;
    const outcome = await this.#thread.call("nft", { script, output: "none" });
    if (port.isRouted === true) return outcome.isApplied;
    return outcome.isApplied && outcome.output.includes(` : ${port.address} . ${port.containerPort} }`);
  }

  async #readState(): Promise<TableState> {
    return parseTable(await this.#list(`list table inet ${this.#table}`, "json"));
  }

  async #readFingerprints(): Promise<Fingerprints | undefined> {
    const outcome = await this.#thread.call("nft", {
      script: `list table inet ${this.#table}`,
      output: "json-terse",
    });
    return outcome.isApplied ? tableFingerprints(outcome.output) : undefined;
  }

  async #list(script: string, output: "json" | "json-terse"): Promise<string> {
    const outcome = await this.#thread.call("nft", { script, output });
    if (!outcome.isApplied) throw refused("read", outcome.text);
    return outcome.output;
  }

  #apply(script: string): Promise<void> {
    return inSpan("nft.apply", {}, async () => {
      const outcome = await this.#thread.call("nft", { script, output: "none" });
      if (!outcome.isApplied) throw refused("change", outcome.text);
    });
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {}); // the next one waits for this one's end, whichever it is
    return result;
  }
}

/** Removal first: a port that goes from one container to another is in both. */
function changeScript(table: string, { add, remove }: PortChange): string {
  return [...portElements("delete", table, remove), ...portElements("add", table, add), ""].join("\n");
}

/** The change as it fits what the maps hold: deleting what is not there, and adding over what is, would refuse it all. */
function fittingChange({ add, remove }: PortChange, present: readonly PortRule[]): PortChange {
  const missing = add.filter((port) => !present.some((one) => isSamePort(one, port) && isSameTarget(one, port)));
  const gone = present.filter((one) => remove.some((port) => isSamePort(one, port) && isSameTarget(one, port)));
  const replaced = present.filter((one) => missing.some((port) => isSamePort(one, port)));
  const kept = gone.filter((one) => !replaced.includes(one) && !add.some((port) => isSamePort(one, port)));
  return { add: missing, remove: [...replaced, ...kept] };
}

function isConflict(error: unknown): boolean {
  return error instanceof CtlError && error.cause instanceof NftRefusal && error.cause.kind !== "other";
}

function refused(verb: "read" | "change", text: string): CtlError {
  return new CtlError("INTERNAL", {
    reason: "NFT_REFUSED",
    what: `${verb} the nftables table`,
    why: text.split("\n")[0]?.replace(/^.*?Error: /, "") ?? "nftables refused it",
    fix: "look at `nft list ruleset` and the daemon's log",
    cause: new NftRefusal(text),
  });
}
