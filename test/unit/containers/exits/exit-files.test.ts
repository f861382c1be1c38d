import { readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { Exits } from "../../../../services/containers/exits/exit-files.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";

const ID = "a".repeat(64);
const HOUR_AGO = Date.now() / 1000 - 3600;

describe("the files that monitors leave of exits", () => {
  it("are read whole ones only; what a killed monitor left unfinished goes once it is old", async () => {
    await using directory = await temporaryDirectory("exits");
    const file = async (name: string, text: string, time = Date.now() / 1000) => {
      await writeFile(join(directory.path, name), text);
      await utimes(join(directory.path, name), time, time);
    };
    await file(`${ID}.1`, "137", HOUR_AGO);
    await file(`${ID}.2.6YLCZ3`, "", HOUR_AGO);
    await file(`${ID}.3.AbCdEf`, "1");
    using exits = await Exits.open(directory.path, () => directory.path);
    expect((await exits.pending()).map(({ run, exitCode }) => [run, exitCode])).to.deep.equal([[1, 137]]);
    expect((await readdir(directory.path)).sort()).to.deep.equal([`${ID}.1`, `${ID}.3.AbCdEf`]);
  });
});
