import { expect } from "chai";
import type { Db } from "../../../services/kit/database.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { parseEventFilters } from "../../../services/kit/event-filters.ts";
import {
  beginStep,
  beginUndo,
  readEvents,
  readWantedEvents,
  recordEvent,
  trimEvents,
} from "../../../services/kit/outbox.ts";
import { cursorOf, EventFeed } from "../../../services/kit/watch.ts";
import { eventually } from "../../lab/eventually.ts";
import { testDatabase } from "../../lab/postgres.ts";
import { rejection } from "../../lab/rejection.ts";

const BEGINNING = { xid: "0", id: "0" };

describe("the outbox", () => {
  it("shows an event exactly when its change is committed, never out of order", async () => {
    await using database = await testDatabase("kit");
    const { db } = database;
    const gate = Promise.withResolvers<void>();
    const recorded = Promise.withResolvers<void>();
    const early = db.transaction(async (tx) => {
      await recordEvent(tx, "kit", change("early"));
      await tx.query("select 1"); // what was enqueued before it has been done
      recorded.resolve();
      await gate.promise;
    });
    await recorded.promise;
    await db.transaction((tx) => recordEvent(tx, "kit", change("late")));
    const meanwhile = await readEvents(db, BEGINNING, 10);
    expect(meanwhile.events).to.deep.equal([]);
    expect(meanwhile.isHeldBack).to.equal(true);
    gate.resolve();
    await early;
    const after = await eventually(async () => {
      const { events } = await readEvents(db, BEGINNING, 10);
      return events.length === 2 && events;
    });
    expect(after.map((event) => event.subject)).to.deep.equal(["early", "late"]);
  });

  it("loses an event with its transaction", async () => {
    await using database = await testDatabase("kit");
    const error = await rejection(
      database.db.transaction(async (tx) => {
        await recordEvent(tx, "kit", change("never"));
        throw new Error("rolled back");
      }),
    );
    expect(error).to.be.an("error");
    expect((await readEvents(database.db, BEGINNING, 10)).events).to.deep.equal([]);
  });

  it("feeds a watcher at once, and again from its cursor", async () => {
    await using database = await testDatabase("kit");
    await using feed = new EventFeed(database.db);
    const first = feed.watch({ since: "" }, deadline(5_000, "watch"));
    let hasCome = false;
    const next = first.next().then((result) => {
      hasCome = true;
      return result;
    });
    await eventually(async () => {
      // again and again: the watch begins with what is committed after it looked for the first time
      await database.db.transaction((tx) => recordEvent(tx, "kit", change("one")));
      return hasCome;
    });
    const { value } = await next;
    expect(value).to.include({ type: "thing", action: "create", subject: "one" });
    await first.return(undefined);
    await database.db.transaction((tx) => recordEvent(tx, "kit", change("two")));
    if (value === undefined) throw new Error("no event");
    for await (const event of feed.watch({ since: cursorOf(value) }, deadline(5_000, "watch"))) {
      if (event.subject === "two") break;
    }
  });

  it("ends a watch until a time behind the last event of that time", async () => {
    await using database = await testDatabase("kit");
    await using feed = new EventFeed(database.db);
    for (const name of ["a", "b", "c"]) await database.db.transaction((tx) => recordEvent(tx, "kit", change(name)));
    const until = new Date(Date.now() + 50);
    const seen: string[] = [];
    for await (const event of feed.watch({ since: "", sinceTime: new Date(0), until }, deadline(5_000, "watch"))) {
      seen.push(event.subject);
    }
    expect(seen).to.deep.equal(["a", "b", "c"]);
  });

  it("tells only of what is wanted, and goes on behind what is not", async () => {
    await using database = await testDatabase("kit");
    await using feed = new EventFeed(database.db);
    const { db } = database;
    const id = "ab12".padEnd(64, "0");
    const web = { name: "web", image: "busybox:1.36", tier: "front", owner: "me" };
    const record = (type: string, action: string, subject: string, attributes: Record<string, string> = {}) =>
      db.transaction((tx) => recordEvent(tx, "kit", { type, action, subject, attributes }));
    await record("container", "create", id, web);
    await record("container", "exec_start: sh -c true", id, web);
    await record("container", "die", "cd34".padEnd(64, "0"), { name: "db", image: "redis", tier: "back" });
    await record("image", "tag", `sha256:${id}`, { name: "localhost:5000/busybox:1.36" });
    await record("network", "connect", id, { name: "lan", container: "x" });
    await record("volume", "create", "web");
    const seen = async (filters: Record<string, string[]>) => {
      const conditions = parseEventFilters(Object.entries(filters).map(([key, values]) => ({ key, values })));
      const actions: string[] = [];
      const range = { since: "", sinceTime: new Date(0), until: new Date(), conditions };
      for await (const { type, action } of feed.watch(range, deadline(10_000, "watch")))
        actions.push(`${type} ${action}`);
      return actions;
    };
    const [create, exec, die, tag, connect, volume] = await seen({});
    expect(volume).to.equal("volume create");
    expect(await seen({ type: ["image", "network"] })).to.deep.equal([tag, connect]);
    expect(await seen({ event: ["create", "exec_start"] })).to.deep.equal([create, exec, volume]);
    expect(await seen({ event: ["exec_start: sh -c true"] })).to.deep.equal([exec]);
    for (const name of ["web", id, "ab12"])
      expect(await seen({ container: [name] }), name).to.deep.equal([create, exec]);
    expect(await seen({ container: ["we", "b12", ""] })).to.deep.equal([]);
    expect(await seen({ image: ["busybox"] })).to.deep.equal([create, exec]);
    expect(await seen({ image: ["localhost:5000/busybox"] })).to.deep.equal([tag]);
    expect(await seen({ image: ["busybox:1.36", "ab12"] })).to.deep.equal([create, exec, tag]);
    expect(await seen({ network: ["lan"] })).to.deep.equal([connect]);
    expect(await seen({ volume: ["web"] })).to.deep.equal([volume]);
    expect(await seen({ label: ["tier"] })).to.deep.equal([create, exec, die]);
    expect(await seen({ label: ["tier=front", "owner"] })).to.deep.equal([create, exec]);
    expect(await seen({ label: ["tier=front", "tier=back"] })).to.deep.equal([]);
    expect(await seen({ container: ["web"], event: ["create"], scope: ["local"] })).to.deep.equal([create]);
    expect(await seen({ scope: ["swarm"] })).to.deep.equal([]);
    expect(await seen({ daemon: ["any"] })).to.deep.equal([]);
    expect(() => parseEventFilters([{ key: "color", values: ["red"] }]))
      .to.throw()
      .with.property("reason", "FILTER_UNKNOWN");
  });

  it("tells of what is wanted as it comes, also behind much that is not", async () => {
    await using database = await testDatabase("kit");
    await using feed = new EventFeed(database.db);
    await fill(database.db, 1_200);
    const conditions = parseEventFilters([{ key: "type", values: ["wanted"] }]);
    const range = { since: "", sinceTime: new Date(0), conditions };
    const watching = feed.watch(range, deadline(20_000, "watch"));
    for (const subject of ["one", "two"]) {
      const next = watching.next();
      await database.db.transaction((tx) => recordEvent(tx, "kit", { type: "wanted", action: "create", subject }));
      await fill(database.db, 10);
      expect((await next).value).to.include({ subject });
    }
    await watching.return(undefined);
  });

  it("keeps 100,000 events, the newest, and finds among them without handing them out", async () => {
    await using database = await testDatabase("kit");
    const { db } = database;
    await fill(db, 130_000);
    expect(await trimEvents(db, 100_000)).to.equal(30_000);
    expect(await trimEvents(db, 100_000)).to.equal(0);
    const { rows } = await db.query<{ count: number; first: string }>(
      "select count(*)::int as count, min(subject) as first from events where subject > 'thing 0030000'",
    );
    expect(rows).to.deep.equal([{ count: 100_000, first: "thing 0030001" }]);
    await fill(db, 1_000);
    expect(await trimEvents(db, 100_000), "a hundredth more").to.equal(0);
    await fill(db, 1);
    expect(await trimEvents(db, 100_000)).to.equal(1_001);
    const wanted = { after: BEGINNING, limit: 10 };
    const conditions = parseEventFilters([{ key: "label", values: ["number=77777"] }]);
    if (conditions === undefined) throw new Error("no conditions");
    const { events } = await readWantedEvents(db, wanted, conditions);
    expect(events.map(({ subject }) => subject)).to.deep.equal(["thing 0077777"]);
  });

  it("keeps the newest events when it is trimmed", async () => {
    await using database = await testDatabase("kit");
    for (const name of ["a", "b", "c"]) await database.db.transaction((tx) => recordEvent(tx, "kit", change(name)));
    expect(await trimEvents(database.db, 2)).to.equal(1);
    const { events } = await readEvents(database.db, BEGINNING, 10);
    expect(events.map((event) => event.subject)).to.deep.equal(["b", "c"]);
  });
});

describe("a step's transaction", () => {
  it("is refused after its operation was undone", async () => {
    await using database = await testDatabase("kit");
    await database.db.transaction((tx) => beginUndo(tx, "op"));
    const error = await rejection(database.db.transaction((tx) => beginStep(tx, "op", "acquire")));
    expect(error).to.include({ code: "ABORTED", reason: "OPERATION_UNDONE" });
  });

  it("makes an undo that comes meanwhile wait until it has ended", async () => {
    await using database = await testDatabase("kit");
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const order: string[] = [];
    const doing = database.db.transaction(async (tx) => {
      await beginStep(tx, "op", "acquire");
      await tx.query("select"); // the step's own statement is sent and not waited for
      begun.resolve();
      await gate.promise;
      order.push("do");
    });
    await begun.promise;
    const undoing = database.db.transaction(async (tx) => {
      await beginUndo(tx, "op");
      order.push("undo");
    });
    gate.resolve();
    await Promise.all([doing, undoing]);
    expect(order).to.deep.equal(["do", "undo"]);
  });
});

/** Many events at once, numbered on. */
async function fill(db: Db, count: number): Promise<void> {
  await db.query(
    `insert into events (type, action, subject, attributes)
     select 'thing', 'create', 'thing ' || lpad(i::text, 7, '0'), jsonb_build_object('number', i::text)
       from generate_series(1, $1::int) as i`,
    [count],
  );
}

function change(subject: string) {
  return { type: "thing", action: "create", subject };
}
