import { expect } from "chai";
import {
  choosePlatform,
  formatPlatform,
  hostPlatform,
  type Platform,
  parsePlatform,
} from "../../../services/images/platform.ts";

const HOST: Platform = { os: "linux", architecture: "amd64", variant: undefined };

describe("platforms", () => {
  for (const [text, whole] of [
    ["linux/amd64", "linux/amd64"],
    ["linux/x86_64", "linux/amd64"],
    ["amd64", "linux/amd64"],
    ["linux", "linux/amd64"],
    ["linux/aarch64", "linux/arm64"],
    ["linux/arm64/v8", "linux/arm64"],
    ["linux/arm", "linux/arm/v7"],
    ["linux/armel", "linux/arm/v6"],
    ["linux/arm/6", "linux/arm/v6"],
    ["LINUX/AMD64", "linux/amd64"],
    ["windows/amd64", "windows/amd64"],
  ] as const) {
    it(`reads ${text} as ${whole}`, () => {
      expect(formatPlatform(parsePlatform(text, HOST))).to.equal(whole);
    });
  }

  it("refuses what is none", () => {
    for (const text of ["", "linux/", "a/b/c/d", "linux/am d64", "-/"]) {
      expect(() => parsePlatform(text, HOST), text)
        .to.throw()
        .that.includes({ code: "INVALID_ARGUMENT", reason: "INVALID_PLATFORM" });
    }
  });

  it("knows the host by Go's name for it", () => {
    expect(hostPlatform("x64")).to.deep.equal(HOST);
    expect(formatPlatform(hostPlatform("arm64"))).to.equal("linux/arm64");
  });

  it("chooses the exact entry of an index over one that merely runs", () => {
    expect(chosen("linux/amd64", "linux/386", "linux/amd64", "linux/arm64")).to.equal("linux/amd64");
    expect(chosen("linux/arm/v7", "linux/arm/v5", "linux/arm/v6", "linux/arm/v7")).to.equal("linux/arm/v7");
  });

  it("falls back to the nearest variant that this processor runs, never to a newer one", () => {
    expect(chosen("linux/arm/v7", "linux/arm/v5", "linux/arm/v6")).to.equal("linux/arm/v6");
    expect(chosen("linux/amd64/v3", "linux/amd64", "linux/amd64/v2")).to.equal("linux/amd64/v2");
    expect(chosen("linux/arm64", "linux/arm/v7")).to.equal("linux/arm/v7");
    expect(() => chosen("linux/arm/v6", "linux/arm/v7")).to.throw("it exists only for linux/arm/v7");
  });

  it("says which platforms there are when the wanted one is missing, attestations left out", () => {
    const offers = [
      offer("linux/arm64"),
      { platform: { os: "unknown", architecture: "unknown", variant: undefined }, annotations: {} },
      { ...offer("linux/amd64"), annotations: { "vnd.docker.reference.type": "attestation-manifest" } },
    ];
    expect(() => choosePlatform(offers, HOST, "nginx"))
      .to.throw("it exists only for linux/arm64")
      .that.includes({ code: "NOT_FOUND", reason: "PLATFORM_NOT_FOUND" });
  });
});

function chosen(wanted: string, ...offers: string[]): string {
  const { platform } = choosePlatform(offers.map(offer), parsePlatform(wanted, HOST), "nginx");
  return platform === undefined ? "" : formatPlatform(platform);
}

function offer(text: string): { platform: Platform | undefined; annotations: Record<string, string> } {
  return { platform: parsePlatform(text, HOST), annotations: {} };
}
