import { expect } from "chai";
import { deadline } from "../../../services/kit/deadlines.ts";
import { beginStep, beginUndo, readEvents, recordEvent, trimEvents } from "../../../services/kit/outbox.ts";
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

function change(subject: string) {
  return { type: "thing", action: "create", subject };
}
