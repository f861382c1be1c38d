import { expect } from "chai";
import { integer, list, parsed, text, toggle } from "../../../../cli/grammar/flags.ts";
import { nearest } from "../../../../cli/grammar/nearest.ts";
import { parseArguments } from "../../../../cli/grammar/parse.ts";
import { parseSize } from "../../../../cli/values/units/size.ts";
import { refused } from "../values/refused.ts";

const flags = {
  env: list({ short: "e", help: "" }),
  hostname: text({ short: "h", help: "" }),
  interactive: toggle({ short: "i", help: "" }),
  memory: parsed({ short: "m", help: "" }, parseSize),
  publish: list({ short: "p", help: "" }),
  retries: integer({ help: "" }),
  rm: toggle({ help: "" }),
  "sig-proxy": toggle({ help: "", initial: true }),
  tty: toggle({ short: "t", help: "" }),
};
const parse = (...argv: string[]) => parseArguments(flags, argv, { name: "ctl run", stopsAtArgument: true });
const interspersed = (...argv: string[]) => parseArguments(flags, argv, { name: "ctl ps", stopsAtArgument: false });

describe("a command line", () => {
  it("takes a value behind a blank or an equals sign", () => {
    expect(parse("--hostname", "a", "-h=b", "-hc").flags.hostname).to.equal("c");
    expect(parse("--hostname=a=b").flags.hostname).to.equal("a=b");
    expect(parse("-p", "80:80", "-p81:81", "--publish=82:82").flags.publish).to.deep.equal(["80:80", "81:81", "82:82"]);
    expect(parse("--hostname=").flags.hostname).to.equal("");
  });

  it("takes short switches together, the last of them with a value", () => {
    expect(parse("-it", "image").flags).to.include({ interactive: true, tty: true });
    const both = parse("-itp", "80:80", "image");
    expect(both.flags.publish).to.deep.equal(["80:80"]);
    expect(both.args).to.deep.equal(["image"]);
  });

  it("switches off with an equals sign alone", () => {
    expect(parse("--rm=false", "--sig-proxy=0").flags).to.include({ rm: false, "sig-proxy": false });
    expect(parse("--rm", "false").args).to.deep.equal(["false"]);
    expect(parse("-i=false").flags.interactive).to.equal(false);
    refused("FLAG_VALUE_INVALID", () => parse("--rm=maybe"));
  });

  it("leaves to the container what follows the image", () => {
    const { args, flags: read } = parse("--rm", "image", "ls", "--rm=false", "-e", "x");
    expect(args).to.deep.equal(["image", "ls", "--rm=false", "-e", "x"]);
    expect(read).to.deep.include({ rm: true, env: [] });
  });

  it("takes flags behind arguments where nothing is the container's, until --", () => {
    const { args, flags: read } = interspersed("one", "--rm", "two", "--", "--tty");
    expect(args).to.deep.equal(["one", "two", "--tty"]);
    expect(read).to.include({ rm: true, tty: false });
  });

  it("asks for help with --help, and with -h where that is no flag", () => {
    expect(parse("--help").wantsHelp).to.equal(true);
    expect(parse("-h", "name").wantsHelp).to.equal(false);
    expect(parseArguments({}, ["-h"], { name: "ctl", stopsAtArgument: false }).wantsHelp).to.equal(true);
  });

  it("says in Docker's words what it does not understand, and what was meant", () => {
    const unknown = refused("FLAG_UNKNOWN", () => parse("--pubish", "80"));
    expect(unknown.why).to.equal("unknown flag: --pubish");
    expect(unknown.fix).to.include("did you mean --publish?");
    expect(refused("FLAG_UNKNOWN", () => parse("-ix")).why).to.equal("unknown shorthand flag: 'x' in -ix");
    expect(refused("FLAG_VALUE_MISSING", () => parse("--hostname")).why).to.equal("flag needs an argument: --hostname");
    expect(refused("FLAG_VALUE_MISSING", () => parse("-it", "-p")).why).to.equal("flag needs an argument: 'p' in -p");
    expect(refused("SIZE_INVALID", () => parse("-m", "much")).why).to.equal(
      `invalid argument "much" for "-m, --memory" flag: invalid size: 'much'`,
    );
    refused("FLAG_VALUE_INVALID", () => parse("--retries=few"));
    refused("FLAG_UNKNOWN", () => parse("--toString"));
  });
});

describe("what was meant", () => {
  it("is the nearest candidate, or none", () => {
    const commands = ["run", "ps", "images", "inspect", "rm", "rmi", "restart"];
    expect(nearest("rnu", commands)).to.equal("run");
    expect(nearest("insepct", commands)).to.equal("inspect");
    expect(nearest("image", commands)).to.equal("images");
    expect(nearest("frobnicate", commands)).to.equal(undefined);
  });
});
