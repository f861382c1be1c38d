import { expect } from "chai";
import {
  newOperationId,
  type OperationKind,
  type Operations,
  resumeOperation,
  runOperation,
  type Step,
} from "../../../../gateway/operations/operation.ts";
import { newOwner } from "../../../../gateway/operations/owner.ts";
import { findOperation } from "../../../../gateway/store.ts";
import { deadline } from "../../../../services/kit/deadlines.ts";
import { CtlError } from "../../../../services/kit/errors.ts";
import { createLog } from "../../../../services/kit/telemetry/log.ts";
import { testDatabase } from "../../../lab/postgres.ts";
import { rejection } from "../../../lab/rejection.ts";

interface Notes {
  readonly operation: string;
  readonly subject: string;
  readonly done: string[];
}

describe("an operation", () => {
  it("does its steps in order, those of a group at once, and ends its row", async () => {
    await using lab = await operationsLab();
    const state = notes("a");
    const gate = Promise.withResolvers<void>();
    const waits: Step<Notes> = {
      name: "waits",
      do: async (s) => {
        await gate.promise;
        s.done.push("waits");
      },
    };
    const opens: Step<Notes> = {
      name: "opens",
      do: async (s) => {
        s.done.push("opens");
        gate.resolve();
      },
    };
    await runOperation(
      kind("run", step("first"), [waits, opens], step("last")),
      state,
      Buffer.alloc(0),
      lab.operations,
      soon(),
    );
    expect(state.done).to.deep.equal(["first", "opens", "waits", "last"]);
    const row = await findOperation(lab.operations.db, state.operation);
    expect(row).to.include({ kind: "run", subject: "a", direction: "do", error: null });
    expect(row?.finished_at).to.be.an.instanceOf(Date);
  });

  it("undoes every step in reverse when one fails, the failing one too, and keeps the reason in its row", async () => {
    await using lab = await operationsLab();
    const state = notes("a");
    const fails: Step<Notes> = { ...step("third"), do: () => Promise.reject(refused()) };
    const error = await rejection(
      runOperation(kind("run", step("first"), step("second"), fails), state, Buffer.alloc(0), lab.operations, soon()),
    );
    expect(error).to.include({ code: "FAILED_PRECONDITION", reason: "TEST_REFUSED" });
    expect(state.done).to.deep.equal(["first", "second", "-third", "-second", "-first"]);
    const row = await findOperation(lab.operations.db, state.operation);
    expect(row?.error).to.include({ reason: "TEST_REFUSED" });
    expect(row?.finished_at).to.be.an.instanceOf(Date);
  });

  it("undoes what was done when its caller goes away, with a signal of its own", async () => {
    await using lab = await operationsLab();
    const state = notes("a");
    const caller = new AbortController();
    const cancels: Step<Notes> = {
      name: "cancels",
      do: async (_s, signal) => {
        caller.abort();
        signal.throwIfAborted();
      },
    };
    await rejection(
      runOperation(kind("run", step("first"), cancels), state, Buffer.alloc(0), lab.operations, caller.signal),
    );
    expect(state.done).to.deep.equal(["first", "-first"]);
  });

  it("is finished without its caller once a step has begun whose effects others may have seen", async () => {
    await using lab = await operationsLab();
    const state = notes("a");
    const caller = new AbortController();
    const shown: Step<Notes> = {
      name: "shown",
      outlivesCaller: true,
      do: async (s, signal) => {
        caller.abort();
        signal.throwIfAborted();
        s.done.push("shown");
      },
    };
    await runOperation(kind("run", step("first"), shown), state, Buffer.alloc(0), lab.operations, caller.signal);
    expect(state.done).to.deep.equal(["first", "shown"]);
    const late = notes("b");
    await rejection(
      runOperation(kind("run", step("first"), shown), late, Buffer.alloc(0), lab.operations, caller.signal),
    );
    expect(late.done).not.to.include("shown");
  });

  it("is left in the log, not undone, when the gateway stops", async () => {
    await using lab = await operationsLab();
    const state = notes("a");
    const stops: Step<Notes> = {
      name: "stops",
      do: async (_s, signal) => {
        lab.stop();
        signal.throwIfAborted();
      },
    };
    const error = await rejection(
      runOperation(kind("run", step("first"), stops), state, Buffer.alloc(0), lab.operations, soon()),
    );
    expect(error).to.include({ code: "UNAVAILABLE", reason: "GATEWAY_STOPPING" });
    expect(state.done).to.deep.equal(["first"]);
    expect((await findOperation(lab.operations.db, state.operation))?.finished_at).to.equal(null);
  });

  it("resumed forward, does all steps again; resumed backward, undoes all", async () => {
    await using lab = await operationsLab();
    const forward = notes("a");
    await resumeOperation(kind("run", step("one"), step("two")), forward, "do", lab.operations, soon());
    expect(forward.done).to.deep.equal(["one", "two"]);
    const backward = notes("b");
    await resumeOperation(kind("run", step("one"), step("two")), backward, "undo", lab.operations, soon());
    expect(backward.done).to.deep.equal(["-two", "-one"]);
  });

  it("waits for another one on the same subject", async () => {
    await using lab = await operationsLab();
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const holds: Step<Notes> = {
      name: "holds",
      do: () => {
        begun.resolve();
        return gate.promise;
      },
    };
    const first = runOperation(kind("run", holds), notes("a"), Buffer.alloc(0), lab.operations, soon());
    await begun.promise;
    const second = notes("a");
    const waiting = runOperation(kind("remove", step("after")), second, Buffer.alloc(0), lab.operations, soon());
    const other = notes("b");
    await runOperation(kind("run", step("free")), other, Buffer.alloc(0), lab.operations, soon());
    expect(second.done).to.deep.equal([]);
    gate.resolve();
    await Promise.all([first, waiting]);
    expect(second.done).to.deep.equal(["after"]);
  });

  it("that is one-way stays in the log when a later step fails", async () => {
    await using lab = await operationsLab();
    const state = notes("a");
    const fails: Step<Notes> = { ...step("second"), do: () => Promise.reject(refused()) };
    const oneWay = { ...kind("remove", step("first"), fails), isOneWay: true };
    await rejection(runOperation(oneWay, state, Buffer.alloc(0), lab.operations, soon()));
    expect(state.done).to.deep.equal(["first"]);
    expect((await findOperation(lab.operations.db, state.operation))?.finished_at).to.equal(null);
  });
});

async function operationsLab() {
  const database = await testDatabase("gateway");
  const stopping = new AbortController();
  const operations: Operations = {
    db: database.db,
    log: createLog("test", "error"),
    owner: newOwner(),
    active: new Set(),
    stopping: stopping.signal,
  };
  return { operations, stop: () => stopping.abort(), [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() };
}

function notes(subject: string): Notes {
  return { operation: newOperationId(), subject, done: [] };
}

function step(name: string): Step<Notes> {
  return {
    name,
    do: async (state) => {
      state.done.push(name);
    },
    undo: async (state) => {
      state.done.push(`-${name}`);
    },
  };
}

function kind(name: string, ...plan: OperationKind<Notes>["plan"]): OperationKind<Notes> {
  return { name, plan };
}

function refused(): CtlError {
  return new CtlError("FAILED_PRECONDITION", { reason: "TEST_REFUSED", what: "do a step", why: "the test says so" });
}

function soon(): AbortSignal {
  return deadline(10_000, "run the test's operation");
}
