import { expect } from "chai";
import { CtlError } from "../../../../services/kit/errors.ts";
import { formatAddress, parseAddress } from "../../../../services/networks/ipam/address.ts";

describe("addresses", () => {
  it("are read and written in both families, IPv6 in its shortest form", () => {
    const same = [
      "0.0.0.0",
      "172.17.0.2",
      "::",
      "::1",
      "fd00::2",
      "2001:db8::1:0:0:1",
      "1:2:3:4:5:6:7:8",
      "1:0:3:4:5:6:7:8",
    ];
    for (const text of same) expect(formatAddress(parseAddress(text).bytes)).to.equal(text);
    const shortened = {
      "2001:DB8:0:0:0:0:0:1": "2001:db8::1",
      "::ffff:10.0.0.1": "::ffff:a00:1",
      "1:0:0:2:0:0:0:3": "1:0:0:2::3",
    };
    for (const [text, short] of Object.entries(shortened)) {
      expect(formatAddress(parseAddress(text).bytes)).to.equal(short);
    }
  });

  it("that are none are refused, with the text that was given", () => {
    for (const text of ["", "172.17.0", "172.17.0.256", "::g", "fe80::1%eth0", "localhost", "01.2.3.4"]) {
      expect(() => parseAddress(text))
        .to.throw(CtlError, `"${text}"`)
        .with.property("reason", "ADDRESS_INVALID");
    }
  });
});
