import { expect } from "chai";
import { endpointsFor, isInsecureHost, type RegistrySettings } from "../../../../services/images/registry/endpoints.ts";

const NONE: RegistrySettings = { mirrors: {}, insecureRegistries: [] };

describe("a registry's endpoints", () => {
  it("are https alone, Docker Hub's under its own host name", () => {
    expect(urls("docker.io")).to.deep.equal(["https://registry-1.docker.io"]);
    expect(urls("ghcr.io")).to.deep.equal(["https://ghcr.io"]);
  });

  it("are unverified https, then http, on loopback and where it is configured", () => {
    const both = (host: string) => [`https://${host}`, `http://${host}`];
    for (const host of ["localhost:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]:5000"]) {
      expect(urls(host)).to.deep.equal(both(host));
    }
    const settings = { mirrors: {}, insecureRegistries: ["10.0.0.0/8", "lab.example:5000", "old.example"] };
    expect(urls("10.9.8.7:5000", settings)).to.deep.equal(both("10.9.8.7:5000"));
    expect(urls("lab.example:5000", settings)).to.deep.equal(both("lab.example:5000"));
    expect(urls("old.example:81", settings)).to.deep.equal(both("old.example:81"));
    expect(isInsecureHost("lab.example:5001", settings)).to.equal(false);
    expect(isInsecureHost("11.0.0.1", settings)).to.equal(false);
  });

  it("begin with the mirrors in their order", () => {
    const endpoints = [{ url: "http://127.0.0.1:5000/" }, { url: "https://mirror.example/hub", insecure: true }];
    const settings = { mirrors: { "docker.io": { endpoints, askRegistry: true } }, insecureRegistries: [] };
    expect(endpointsFor("docker.io", settings)).to.deep.equal([
      { url: "http://127.0.0.1:5000", insecure: true, isMirror: true },
      { url: "https://mirror.example/hub", insecure: true, isMirror: true },
      { url: "https://registry-1.docker.io", insecure: false, isMirror: false },
    ]);
    expect(urls("ghcr.io", settings)).to.deep.equal(["https://ghcr.io"]);
  });

  it("are the mirrors alone where the registry must not be asked", () => {
    const mirror = { endpoints: [{ url: "http://127.0.0.1:5000" }], askRegistry: false };
    expect(urls("docker.io", { mirrors: { "docker.io": mirror }, insecureRegistries: [] })).to.deep.equal([
      "http://127.0.0.1:5000",
    ]);
  });

  it("are refused where the settings make no sense", () => {
    for (const url of ["ftp://x", "mirror", "https://u@x", "https://x/?y=z"]) {
      const settings = {
        mirrors: { "docker.io": { endpoints: [{ url }], askRegistry: true } },
        insecureRegistries: [],
      };
      expect(() => endpointsFor("docker.io", settings), url)
        .to.throw()
        .that.includes({ code: "INVALID_ARGUMENT", reason: "REGISTRY_SETTINGS" });
    }
    const none = { mirrors: { "docker.io": { endpoints: [], askRegistry: false } }, insecureRegistries: [] };
    expect(() => endpointsFor("docker.io", none))
      .to.throw()
      .that.includes({ reason: "REGISTRY_SETTINGS" });
  });
});

function urls(domain: string, settings: RegistrySettings = NONE): string[] {
  return endpointsFor(domain, settings).map(({ url }) => url);
}
