import { createSocket } from "node:dgram";
import { connect, createServer, type Server } from "node:net";
import { expect } from "chai";
import { ephemeralRange, HostPorts, reservationOwner } from "../../../services/networks/ports/host-ports.ts";
import { rejection } from "../../lab/rejection.ts";
import { startAgent } from "./agent.ts";
import { refuseRealHost } from "./host.ts";

const OWNER = reservationOwner("test");
const HOLDER = "web";
const PORT = { hostIp: "", protocol: "tcp", port: 8080 } as const;

describe("a published port", () => {
  before(refuseRealHost);

  it("cannot be taken by another program, which may set SO_REUSEADDR, on any address", async () => {
    using ports = new HostPorts(OWNER);
    await ports.reserve(PORT, HOLDER);
    for (const host of ["0.0.0.0", "127.0.0.1", "::"]) {
      expect(await rejection(listen(PORT.port, host)), host).to.include({ code: "EADDRINUSE" });
    }
  });

  it("is not served by the socket that holds it", async () => {
    using ports = new HostPorts(OWNER);
    await ports.reserve(PORT, HOLDER);
    const refusal = Promise.withResolvers<string>();
    connect(PORT.port, "127.0.0.1").on("error", (error: NodeJS.ErrnoException) => refusal.resolve(error.code ?? ""));
    expect(await refusal.promise).to.equal("ECONNREFUSED");
  });

  it("held by a program is refused with the program's name", async () => {
    await using program = await startAgent();
    await program.serve("tcp", PORT.port);
    await program.serve("udp", PORT.port);
    using ports = new HostPorts(OWNER);
    for (const protocol of ["tcp", "udp"] as const) {
      const error = await rejection(ports.reserve({ ...PORT, protocol }, HOLDER));
      expect(error).to.include({ code: "ALREADY_EXISTS", reason: "PORT_HELD_BY_PROGRAM" });
      expect((error as Error).message).to.match(
        new RegExp(`0\\.0\\.0\\.0:8080/${protocol}: node \\(process \\d+\\)`, "i"),
      );
    }
    expect(ports.list().size).to.equal(0);
  });

  it("is taken twice as one, and given back at once", async () => {
    using ports = new HostPorts(OWNER);
    await ports.reserve(PORT, HOLDER);
    await ports.reserve(PORT, HOLDER);
    ports.release(PORT, HOLDER);
    ports.release(PORT, HOLDER);
    const server = await listen(PORT.port, "0.0.0.0");
    server.close();
    expect(ports.list().size).to.equal(0);
  });

  it("is held by all replicas of an instance at once, until the last lets go, and by no other instance", async () => {
    using ports = new HostPorts(OWNER);
    using replica = new HostPorts(OWNER);
    using stranger = new HostPorts(reservationOwner("other"));
    for (const protocol of ["tcp", "udp"] as const) {
      const port = { ...PORT, protocol };
      await ports.reserve(port, HOLDER);
      await replica.reserve(port, HOLDER);
      ports.release(port, HOLDER);
      const error = await rejection(stranger.reserve(port, HOLDER));
      expect(error).to.include({ code: "ALREADY_EXISTS", reason: "PORT_HELD_BY_PROGRAM" });
      replica.release(port, HOLDER);
      expect(await stranger.reserve(port, HOLDER)).to.equal(true);
    }
  });

  it("stays held while one of its holders is left", async () => {
    using ports = new HostPorts(OWNER);
    await ports.reserve(PORT, HOLDER);
    expect(await ports.reserve(PORT, "next")).to.equal(true);
    expect(await ports.reserve(PORT, "next")).to.equal(false);
    ports.release(PORT, HOLDER);
    expect(await rejection(listen(PORT.port, "0.0.0.0"))).to.include({ code: "EADDRINUSE" });
  });

  it("is another one for each protocol, and for each address of the host", async () => {
    using ports = new HostPorts(OWNER);
    await ports.reserve({ ...PORT, hostIp: "127.0.0.1" }, HOLDER);
    await ports.reserve({ ...PORT, hostIp: "127.0.0.2" }, HOLDER);
    await ports.reserve({ ...PORT, protocol: "udp" }, HOLDER);
    await ports.reserve({ ...PORT, hostIp: "::" }, HOLDER);
    await ports.reserve({ ...PORT, protocol: "sctp" }, HOLDER); // also on a kernel without SCTP
    expect(ports.list().get(HOLDER)).to.have.length(5);
  });

  it("on an address that the host does not have is refused", async () => {
    using ports = new HostPorts(OWNER);
    const error = await rejection(ports.reserve({ ...PORT, hostIp: "203.0.113.7" }, HOLDER));
    expect(error).to.include({ code: "FAILED_PRECONDITION", reason: "HOST_ADDRESS_MISSING" });
  });

  it("is the first free one of a range, passing over what others hold, by a row or by a socket", async () => {
    const udp = createSocket("udp4");
    await new Promise<void>((resolve) => udp.bind(9001, "0.0.0.0", resolve));
    using ports = new HostPorts(OWNER);
    const wanted = { hostIps: [""], protocol: "udp" } as const;
    const isTaken = (port: number) => port === 9000;
    const range = { from: 9000, to: 9003 };
    expect(await ports.reserveOneOf({ wanted, range: range, holder: HOLDER }, isTaken)).to.equal(9002);
    expect(await ports.reserveOneOf({ wanted, range: range, holder: HOLDER }, isTaken)).to.equal(9003);
    expect(await rejection(ports.reserveOneOf({ wanted, range: range, holder: HOLDER }, isTaken))).to.include({
      code: "RESOURCE_EXHAUSTED",
      reason: "NO_FREE_PORT",
    });
    udp.close();
  });

  it("that nobody named begins anywhere in the kernel's ephemeral range, and goes round its end", async () => {
    using ports = new HostPorts(OWNER);
    const range = ephemeralRange();
    expect(range).to.deep.equal({ from: 32_768, to: 60_999 });
    const wanted = { hostIps: ["", "::"], protocol: "tcp" } as const;
    const start = { ...range, start: range.to };
    expect(await ports.reserveOneOf({ wanted, range: start, holder: HOLDER }, () => false)).to.equal(range.to);
    expect(await ports.reserveOneOf({ wanted, range: start, holder: HOLDER }, () => false)).to.equal(range.from);
    expect(ports.list().get(HOLDER)).to.have.length(4);
  });
});

async function listen(port: number, host: string): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>();
  const server = createServer();
  server.on("error", reject);
  server.listen(port, host, () => resolve(server));
  return promise;
}
