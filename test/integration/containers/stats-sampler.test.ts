import { expect } from "chai";
import type { CgroupLayout } from "../../../services/containers/cgroups/layout.ts";
import { StatsSampler } from "../../../services/containers/stats/sampler.ts";
import type { Db } from "../../../services/kit/database.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { eventually } from "../../lab/eventually.ts";
import { testDatabase } from "../../lab/postgres.ts";
import { rejection } from "../../lab/rejection.ts";

const LAYOUT: CgroupLayout = { mode: "v2", root: "/sys/fs/cgroup" };
const [ONE, TWO] = ["1".repeat(64), "2".repeat(64)];

describe("the sampler of what containers use", () => {
  it("asks once a round for all who watch, tells each what it asked for, and does nothing when nobody watches", async () => {
    await using lab = await samplerLab();
    await addContainer(lab.db, ONE, "one");
    await addContainer(lab.db, TWO, "two");
    const leaving = [new AbortController(), new AbortController(), new AbortController()];
    const wishes = [{ refs: ["two"] }, { refs: ["two", "one"] }, { refs: [] }];
    const seen: string[][] = [[], [], []];
    const watching = wishes.map(async ({ refs }, index) => {
      const signal = leaving[index]?.signal ?? deadline(0, "never");
      for await (const samples of lab.sampler.watch({ refs, all: true }, signal)) {
        seen[index]?.push(samples.map(({ name }) => name).join());
      }
    });
    await eventually(() => seen.every((answers) => answers.length >= 3) || undefined);
    expect(seen.map((answers) => [...new Set(answers)])).to.deep.equal([["two"], ["two,one"], ["two,one"]]);
    const answers = Math.max(...seen.map(({ length }) => length));
    expect(lab.rounds()).to.be.at.most(answers + 1);
    for (const one of leaving) one.abort();
    await Promise.all(watching);
    const rounds = lab.rounds();
    await new Promise((resolve) => setTimeout(resolve, 2_500)); // two rounds and a half
    expect(lab.rounds()).to.equal(rounds);
  });

  it("ends for who asked for one that is removed, and begins again for the next", async () => {
    await using lab = await samplerLab();
    await addContainer(lab.db, ONE, "one");
    const names: string[] = [];
    for await (const samples of lab.sampler.watch({ refs: ["one"], all: false }, deadline(20_000, "watch"))) {
      names.push(...samples.map(({ name }) => name));
      await lab.db.query("delete from containers");
    }
    expect(names).to.deep.equal(["one"]);
    await addContainer(lab.db, TWO, "two");
    for await (const samples of lab.sampler.watch({ refs: ["two"], all: false }, deadline(20_000, "watch"))) {
      expect(samples.map(({ name, usage }) => ({ name, usage }))).to.deep.equal([{ name: "two", usage: undefined }]);
      break;
    }
    expect(await lab.sampler.once({ refs: ["two"], all: false })).to.have.length(1);
    const missing = lab.sampler.watch({ refs: ["nope"], all: false }, deadline(5_000, "watch")).next();
    expect(await rejection(missing)).to.include({ reason: "CONTAINER_NOT_FOUND" });
  });

  it("tells who watches when it cannot read", async () => {
    await using lab = await samplerLab();
    await addContainer(lab.db, ONE, "one");
    const watching = lab.sampler.watch({ refs: [], all: true }, deadline(20_000, "watch"));
    await watching.next();
    await lab.db.query("drop table containers cascade");
    const error = await rejection(
      (async () => {
        for await (const _ of watching);
      })(),
    );
    expect(error).to.be.an("error");
  });
});

async function samplerLab() {
  const database = await testDatabase("containers");
  const { db } = database;
  let rounds = 0;
  const counted: Db = {
    query: (text, values) => {
      if (text.includes("cgroupParent")) rounds++;
      return db.query(text, values);
    },
  };
  const host = { layout: LAYOUT, cgroupParent: { kind: "own", name: "stats-sampler-test" } } as const;
  const sampler = new StatsSampler({ db: counted, node: "node", host });
  return { db, sampler, rounds: () => rounds, [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() };
}

async function addContainer(db: Db, id: string, name: string): Promise<void> {
  await db.query(
    `insert into containers (id, node, name, created_by, wish, spec, labels, image, image_id, image_digest, image_config,
                             command, restart_mode, auto_remove, summary)
     values ($1, 'node', $2, 'test', '', '{}', '{}', 'busybox', '', '', '', '{}', 'no', false, '')`,
    [id, name],
  );
}
