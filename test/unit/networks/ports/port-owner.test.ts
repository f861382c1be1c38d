import { expect } from "chai";
import { inodesOnPort } from "../../../../services/networks/ports/port-owner.ts";

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000
   1: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000
   2: 0100007F:1F90 0100007F:C350 06 00000000:00000000 03:00000AF0 00000000     0        0 0 3 0000000000000000
`;

describe("the owner of a port", () => {
  it("is found by the local port alone, and a closed connection that lingers has none", () => {
    expect(inodesOnPort(TABLE, 8080)).to.deep.equal(["4711"]);
    expect(inodesOnPort(TABLE, 8081)).to.deep.equal(["4712"]);
    expect(inodesOnPort(TABLE, 80)).to.deep.equal([]);
    expect(inodesOnPort("", 80)).to.deep.equal([]);
  });
});
