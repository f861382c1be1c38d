import { readdir } from "node:fs/promises";
import { expect } from "chai";
import { nodeId } from "../../../services/kit/node-id.ts";
import { temporaryDirectory } from "../../lab/temporary-directory.ts";

describe("a node's id", () => {
  it("is the same for all who ask for it first at the same time, and for who asks later", async () => {
    await using directory = await temporaryDirectory();
    const ids = await Promise.all(Array.from({ length: 20 }, () => nodeId(directory.path)));
    expect(new Set([...ids, await nodeId(directory.path)]).size).to.equal(1);
    expect(await readdir(directory.path)).to.deep.equal(["node-id"]);
  });
});
