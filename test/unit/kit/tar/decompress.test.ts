import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect } from "chai";
import { compressionOf, decompress } from "../../../../services/kit/tar/decompress.ts";
import { rejection } from "../../../lab/rejection.ts";

const CONTENT = Buffer.from("some content, ".repeat(50_000));

describe("decompressing a layer", () => {
  const streams: Readonly<Record<string, Buffer>> = {
    plain: CONTENT,
    gzip: gzipSync(CONTENT),
    "gzip in several members": Buffer.concat([gzipSync(CONTENT.subarray(0, 1000)), gzipSync(CONTENT.subarray(1000))]),
    zstd: zstdCompressSync(CONTENT),
    "zstd in several frames": Buffer.concat([
      zstdCompressSync(CONTENT.subarray(0, 1000)),
      zstdCompressSync(CONTENT.subarray(1000)),
    ]),
    "zstd behind a frame to be skipped": Buffer.concat([
      Buffer.from([0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2]),
      zstdCompressSync(CONTENT),
    ]),
  };
  for (const [name, stream] of Object.entries(streams)) {
    it(`gives back ${name}, in whatever pieces it comes`, async () => {
      for (const size of [3, 4096, stream.length]) {
        expect((await decompressed(pieces(stream, size))).equals(CONTENT), `${size}`).to.equal(true);
      }
    });
  }

  it("takes the bytes' word for what they are", () => {
    expect(compressionOf(gzipSync("x"))).to.equal("gzip");
    expect(compressionOf(zstdCompressSync("x"))).to.equal("zstd");
    expect(compressionOf(Buffer.from("a/file"))).to.equal("none");
    expect(compressionOf(Buffer.alloc(0))).to.equal("none");
    expect(() => compressionOf(Buffer.from("BZh9xx")))
      .to.throw("bzip2")
      .that.includes({ code: "UNIMPLEMENTED", reason: "LAYER_COMPRESSION" });
  });

  for (const [name, stream] of Object.entries({ gzip: gzipSync(CONTENT), zstd: zstdCompressSync(CONTENT) })) {
    it(`refuses ${name} that is cut off or damaged`, async () => {
      const damaged = Buffer.from(stream);
      damaged.fill(0xff, 20, 60);
      for (const bytes of [stream.subarray(0, stream.length - 6), stream.subarray(0, 12), damaged]) {
        const error = await rejection(decompressed(pieces(bytes, 4096)));
        expect(error).to.include({ code: "INVALID_ARGUMENT", reason: "LAYER_CORRUPT" });
      }
    });
  }

  it("passes over padding after a gzip stream, and refuses rubbish there", async () => {
    const padded = Buffer.concat([gzipSync(CONTENT), Buffer.alloc(300_000)]);
    const followed = Buffer.concat([gzipSync(CONTENT), Buffer.alloc(300_000, 7)]);
    for (const size of [4096, padded.length]) {
      expect((await decompressed(pieces(padded, size))).equals(CONTENT), `${size}`).to.equal(true);
      expect(await rejection(decompressed(pieces(followed, size)))).to.include({ reason: "LAYER_CORRUPT" });
    }
  });

  it("passes on the source's own error", async () => {
    const failure = new Error("the network");
    async function* source() {
      yield gzipSync(CONTENT).subarray(0, 500);
      throw failure;
    }
    expect(await rejection(decompressed(source()))).to.equal(failure);
  });
});

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function decompressed(source: AsyncIterator<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(decompress(source)));
}
