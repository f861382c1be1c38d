import { expect } from "chai";
import { filteredResolvConf } from "../../../../services/networks/host/resolv-conf.ts";

describe("a sandbox's resolv.conf", () => {
  it("keeps the host's search list, options and resolvers that it can reach", () => {
    const text = "# by hand\nsearch example.org\nnameserver 127.0.0.53\nnameserver 192.0.2.1\noptions ndots:2\n";
    expect(filteredResolvConf(text)).to.deep.equal({
      text: "# by hand\nsearch example.org\nnameserver 192.0.2.1\noptions ndots:2\n",
      warning: undefined,
    });
  });

  it("has no resolver on the host's loopback, nor an IPv6 one", () => {
    const text = "nameserver 127.0.0.1\nnameserver ::1\nnameserver 2001:db8::53\nnameserver 192.0.2.1\n";
    expect(filteredResolvConf(text).text).to.equal("nameserver 192.0.2.1\n");
  });

  it("invents no public resolver where none is left, but says so", () => {
    const { text, warning } = filteredResolvConf("nameserver 127.0.0.53\n");
    expect(text).to.equal("");
    expect(warning).to.include("no DNS resolver");
    expect(filteredResolvConf("").warning).to.include("--dns");
  });
});
