import { expect } from "chai";
import { testDatabase } from "../../lab/postgres.ts";

describe("the lab's Postgres", () => {
  it("gives each test a migrated database of its own", async () => {
    await using one = await testDatabase("kit");
    await using other = await testDatabase("kit");
    await one.db.query("insert into events (type, action, subject) values ('image', 'pull', 'a')");
    expect((await one.db.query("select subject from events")).rows).to.deep.equal([{ subject: "a" }]);
    expect((await other.db.query("select subject from events")).rows).to.deep.equal([]);
  });

  it("gives databases to several askers at once", async () => {
    const databases = await Promise.all(Array.from({ length: 6 }, () => testDatabase("kit")));
    expect(new Set(databases.map(({ url }) => url)).size).to.equal(6);
    await Promise.all(databases.map((database) => database[Symbol.asyncDispose]()));
  });
});
