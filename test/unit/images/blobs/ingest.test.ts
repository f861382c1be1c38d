import { randomBytes } from "node:crypto";
import { readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { blobPath, ingestDirectory } from "../../../../services/images/blobs/blob-path.ts";
import { ingestBlob, openIngest } from "../../../../services/images/blobs/ingest.ts";
import { hasBlob, readBlob } from "../../../../services/images/blobs/read.ts";
import { sweepIngests } from "../../../../services/images/blobs/sweep.ts";
import { digestOf } from "../../../../services/images/digest.ts";
import { deadline } from "../../../../services/kit/deadlines.ts";
import { rejection } from "../../../lab/rejection.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";

const CONTENT = Buffer.from("content of a blob");
const EXPECTED = { digest: digestOf(CONTENT), size: CONTENT.length };

describe("the content store", () => {
  it("keeps a blob under its digest, and nothing else", async () => {
    await using dir = await temporaryDirectory();
    await ingestBlob(dir.path, [CONTENT.subarray(0, 5), CONTENT.subarray(5)], EXPECTED, soon());
    expect(await hasBlob(dir.path, EXPECTED)).to.equal(true);
    expect(await readBlob(dir.path, EXPECTED.digest, 100)).to.deep.equal(CONTENT);
    expect(await readdir(ingestDirectory(dir.path))).to.deep.equal([]);
  });

  for (const [name, content] of Object.entries({
    "another digest": Buffer.from("Content of a blob"),
    "too few bytes": CONTENT.subarray(1),
    "too many bytes": Buffer.concat([CONTENT, CONTENT]),
  })) {
    it(`refuses content with ${name}, and keeps none of it`, async () => {
      await using dir = await temporaryDirectory();
      const error = await rejection(ingestBlob(dir.path, [content], EXPECTED, soon()));
      expect(error).to.include({ code: "DATA_LOSS", reason: "DIGEST_MISMATCH" });
      expect(await hasBlob(dir.path, EXPECTED)).to.equal(false);
      expect(await readdir(ingestDirectory(dir.path))).to.deep.equal([]);
    });
  }

  it("takes the same blob from several writers at once", async () => {
    await using dir = await temporaryDirectory();
    const content = randomBytes(1 << 20);
    const expected = { digest: digestOf(content), size: content.length };
    await Promise.all(Array.from({ length: 8 }, () => ingestBlob(dir.path, [content], expected, soon())));
    expect((await readBlob(dir.path, expected.digest, 2 << 20)).equals(content)).to.equal(true);
    expect(await readdir(ingestDirectory(dir.path))).to.deep.equal([]);
  });

  it("keeps nothing of a stream that breaks off or is aborted", async () => {
    await using dir = await temporaryDirectory();
    const failure = new Error("broken");
    async function* breaking() {
      yield CONTENT.subarray(0, 3);
      throw failure;
    }
    expect(await rejection(ingestBlob(dir.path, breaking(), EXPECTED, soon()))).to.equal(failure);
    const error = await rejection(ingestBlob(dir.path, [CONTENT], EXPECTED, AbortSignal.abort()));
    expect(error).to.include({ code: "CANCELLED" });
    expect(await readdir(ingestDirectory(dir.path))).to.deep.equal([]);
  });

  it("notices what a disk did to a small blob", async () => {
    await using dir = await temporaryDirectory();
    await ingestBlob(dir.path, [CONTENT], EXPECTED, soon());
    await writeFile(blobPath(dir.path, EXPECTED.digest), Buffer.alloc(CONTENT.length));
    const error = await rejection(readBlob(dir.path, EXPECTED.digest, 100));
    expect(error).to.include({ code: "DATA_LOSS", reason: "DIGEST_MISMATCH" });
  });

  it("says what it does not hold, and what is too large to be read whole", async () => {
    await using dir = await temporaryDirectory();
    const missing = await rejection(readBlob(dir.path, EXPECTED.digest, 100));
    expect(missing).to.include({ code: "NOT_FOUND", reason: "BLOB_NOT_FOUND" });
    await ingestBlob(dir.path, [CONTENT], EXPECTED, soon());
    const large = await rejection(readBlob(dir.path, EXPECTED.digest, 3));
    expect(large).to.include({ code: "INVALID_ARGUMENT", reason: "BLOB_TOO_LARGE" });
  });

  it("sweeps what dead writers left and nothing that is being written or is new", async () => {
    await using dir = await temporaryDirectory();
    await using ingest = await openIngest(dir.path, EXPECTED);
    await ingest.write(CONTENT);
    await writeFile(join(ingestDirectory(dir.path), "left-over"), "x");
    await utimes(join(ingestDirectory(dir.path), "left-over"), 1, 1);
    expect(await sweepIngests(dir.path)).to.equal(0);
    expect(await sweepIngests(dir.path, 0)).to.equal(1);
    await ingest.commit();
    expect(await hasBlob(dir.path, EXPECTED)).to.equal(true);
  });
});

function soon(): AbortSignal {
  return deadline(10_000, "store a blob");
}
