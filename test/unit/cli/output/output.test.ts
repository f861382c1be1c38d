import { expect } from "chai";
import { ellipsis, humanDuration, humanMemory, humanSize, shortId } from "../../../../cli/output/human.ts";
import { portsColumn } from "../../../../cli/output/ports.ts";
import { spokenReference } from "../../../../cli/output/reference.ts";
import { formatRows } from "../../../../cli/output/rows.ts";
import { alignCells } from "../../../../cli/output/table.ts";
import { rfc3339 } from "../../../../cli/output/time.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe("what Docker's hands know", () => {
  it("durations in rough words", () => {
    const spoken = [0, 1000, 59_000, MINUTE, 59 * MINUTE, HOUR, 47 * HOUR, 3 * DAY, 15 * DAY, 70 * DAY, 800 * DAY];
    expect(spoken.map(humanDuration)).to.deep.equal([
      "Less than a second",
      "1 second",
      "59 seconds",
      "About a minute",
      "59 minutes",
      "About an hour",
      "47 hours",
      "3 days",
      "2 weeks",
      "2 months",
      "2 years",
    ]);
  });

  it("sizes with three digits, memory in binary units", () => {
    expect([0, 999, 1240, 142_300_000, 4_210_000_000].map((bytes) => humanSize(bytes))).to.deep.equal([
      "0B",
      "999B",
      "1.24kB",
      "142MB",
      "4.21GB",
    ]);
    expect(humanMemory(8_325_246_976)).to.equal("7.753GiB");
  });

  it("tables with columns at least ten wide and three blanks between", () => {
    expect(
      alignCells([
        ["CONTAINER ID", "IMAGE", "NAMES"],
        ["0123456789ab", "nginx", "web"],
      ]),
    ).to.equal("CONTAINER ID   IMAGE     NAMES\n0123456789ab   nginx     web\n");
    expect(alignCells([["é", "x"]])).to.equal("é         x\n");
  });

  it("published ports, neighbours as one, exposed ones behind", () => {
    const published = (containerPort: number, hostPort: number, hostIp = "") => ({
      containerPort,
      protocol: "tcp",
      hostIp,
      hostPort,
    });
    expect(portsColumn([published(80, 8080)], ["80/tcp", "443/tcp"])).to.equal("0.0.0.0:8080->80/tcp, 443/tcp");
    expect(portsColumn([published(81, 8001), published(80, 8000), published(90, 9000, "127.0.0.1")], [])).to.equal(
      "0.0.0.0:8000-8001->80-81/tcp, 127.0.0.1:9000->90/tcp",
    );
    expect(portsColumn([published(80, 80, "::1")], [])).to.equal("[::1]:80->80/tcp");
    expect(portsColumn([], ["53/udp", "54/udp"])).to.equal("53-54/udp");
  });

  it("references while they are pulled", () => {
    const spoken = ["nginx", "nginx:1.2", "team/app", "localhost:5000/a/b:x", "a.io/b@sha256:12"].map(spokenReference);
    expect(spoken.map(({ version, path, familiar }) => `${version} ${path} ${familiar}`)).to.deep.equal([
      "latest library/nginx nginx:latest",
      "1.2 library/nginx nginx:1.2",
      "latest team/app team/app:latest",
      "x a/b localhost:5000/a/b:x",
      "sha256:12 b a.io/b@sha256:12",
    ]);
  });

  it("short ids, cut texts, exact times", () => {
    expect(shortId("sha256:0123456789abcdef")).to.equal("0123456789ab");
    expect([ellipsis("nginx -g daemon", 6), ellipsis("short", 6)]).to.deep.equal(["nginx…", "short"]);
    expect(rfc3339({ seconds: 0, nanos: 5 }, 9)).to.equal("1970-01-01T00:00:00.000000005Z");
    expect(rfc3339({ seconds: 0, nanos: 500_000_000 })).to.equal("1970-01-01T00:00:00.5Z");
  });
});

describe("--format of a list", () => {
  const shape = { headings: { ID: "CONTAINER ID", Names: "NAMES", Ports: "PORTS" }, columns: ["ID", "Names"] };
  const rows = [
    { ID: "1", Names: "web", Ports: "80/tcp", Label: (key: string) => `<${key}>` },
    { ID: "2", Names: "database", Ports: "", Label: () => "" },
  ];

  it("is a table when nothing is said", () => {
    const table = "CONTAINER ID   NAMES\n1              web\n2              database\n";
    expect(formatRows(rows, shape, undefined)).to.equal(table);
    expect(formatRows(rows, shape, "table")).to.equal(table);
  });

  it("is an object a line with json", () => {
    expect(formatRows(rows, shape, "json").split("\n")[0]).to.equal('{"ID":"1","Names":"web","Ports":"80/tcp"}');
  });

  it("is a template a line, or a table of one with headings", () => {
    expect(formatRows(rows, shape, "{{.Names}}:{{.ID}}")).to.equal("web:1\ndatabase:2\n");
    expect(formatRows(rows, shape, "table {{.Names}}\\t{{.Ports}}")).to.equal(
      "NAMES      PORTS\nweb        80/tcp\ndatabase   \n",
    );
    expect(formatRows(rows, shape, 'table {{.Label "com.example.tier"}}')).to.equal("tier\n<com.example.tier>\n\n");
  });
});
