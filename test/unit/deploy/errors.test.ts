import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { errorReasons } from "../../../deploy/docs/error-reasons.ts";

const SOURCE = join(import.meta.dirname, "../../..");

describe("docs/errors.md", () => {
  it("lists every reason that the source names with its codes, and no other", async () => {
    const text = await readFile(join(SOURCE, "docs/errors.md"), "utf8");
    const listed = [...text.matchAll(/^\| ([A-Z0-9_]+) \| ([A-Z_, ]*) \|/gm)].map(
      ([, reason, codes]) => `${reason} ${codes}`,
    );
    const named = (await errorReasons(SOURCE)).map(({ reason, codes }) => `${reason} ${codes.join(", ")}`);
    const difference = {
      missing: named.filter((one) => !listed.includes(one)),
      superfluous: listed.filter((one) => !named.includes(one)),
    };
    expect(difference, "run node deploy/docs/errors.ts").to.deep.equal({ missing: [], superfluous: [] });
  });
});
