import { expect } from "chai";
import { parseInterfaces } from "../../../../services/containers/stats/interfaces.ts";

const NET_DEV = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
  eth0: 389583022    8367    1    2    0     0          0         0   542737    4999    3    4    0     0       0          0
eth1.100:     10       1    0    0    0     0          0         0       20       2    0    0    0     0       0          0
`;

describe("what a container's network interfaces have carried", () => {
  it("is read for each but the loopback", () => {
    expect(parseInterfaces(NET_DEV)).to.deep.equal([
      {
        name: "eth0",
        ...{ rxBytes: 389_583_022, rxPackets: 8_367, rxErrors: 1, rxDropped: 2 },
        ...{ txBytes: 542_737, txPackets: 4_999, txErrors: 3, txDropped: 4 },
      },
      {
        name: "eth1.100",
        ...{ rxBytes: 10, rxPackets: 1, rxErrors: 0, rxDropped: 0 },
        ...{ txBytes: 20, txPackets: 2, txErrors: 0, txDropped: 0 },
      },
    ]);
  });
});
