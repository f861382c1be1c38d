import { expect } from "chai";
import { formatValue } from "../../../../cli/output/value.ts";
import { refused } from "../values/refused.ts";

const value = {
  Name: "/web",
  State: { Running: true, Pid: 42, Error: "" },
  Config: { Labels: { tier: "front", "com.example": "x" }, Env: ["A=1", "B=2"], Cmd: null },
  Mounts: [
    { Source: "/a", RW: true },
    { Source: "/b", RW: false },
  ],
  Empty: [],
};
const fill = (template: string) => formatValue(value, template).slice(0, -1);

describe("a Go template", () => {
  it("shows fields, nested and as Go prints them", () => {
    expect(fill("{{.Name}} {{.State.Pid}} {{.State.Running}}")).to.equal("/web 42 true");
    expect(fill("{{.Config.Env}} {{.Config.Labels}} {{.Config.Cmd}}")).to.equal(
      "[A=1 B=2] map[com.example:x tier:front] <no value>",
    );
    expect(fill("{{json .State}}")).to.equal('{"Running":true,"Pid":42,"Error":""}');
    expect(formatValue(value, "json")).to.equal(`${JSON.stringify(value)}\n`);
  });

  it("branches and loops", () => {
    expect(fill("{{if .State.Running}}up{{else}}down{{end}}")).to.equal("up");
    expect(fill("{{if .State.Error}}bad{{else if .Empty}}some{{else}}good{{end}}")).to.equal("good");
    expect(fill("{{range .Mounts}}{{.Source}}={{if .RW}}rw{{else}}ro{{end}} {{end}}")).to.equal("/a=rw /b=ro ");
    expect(fill("{{range $i, $m := .Mounts}}{{$i}}{{$m.Source}}{{end}}")).to.equal("0/a1/b");
    expect(fill("{{range $key, $text := .Config.Labels}}{{$key}}:{{$text}};{{end}}")).to.equal(
      "com.example:x;tier:front;",
    );
    expect(fill("{{range .Empty}}x{{else}}none{{end}}")).to.equal("none");
    expect(fill("{{with .State}}{{.Pid}}{{end}}")).to.equal("42");
    expect(fill("{{range .Mounts}}{{$.Name}}{{end}}")).to.equal("/web/web");
  });

  it("calls functions, nested and in pipelines", () => {
    expect(
      fill('{{index .Config.Labels "com.example"}} {{index .Config.Env 1}} {{index .Mounts 0 "Source"}}'),
    ).to.equal("x B=2 /a");
    expect(fill('{{index .Config.Labels "absent"}}.')).to.equal(".");
    expect(fill("{{.Name | upper}} {{lower .Name}} {{title `a bc`}}")).to.equal("/WEB /web A Bc");
    expect(fill('{{join .Config.Env ", "}} {{index (split .Name "b") 0}}')).to.equal("A=1, B=2 /we");
    expect(fill('{{printf "%s-%05d|%-6s|%q" .Name .State.Pid "ab" "c"}}')).to.equal('/web-00042|ab    |"c"');
    expect(
      fill("{{len .Mounts}} {{eq .State.Pid 42}} {{and .State.Running (gt .State.Pid 50)}} {{not .Empty}}"),
    ).to.equal("2 true false true");
    expect(fill('{{println "a"}}{{(index .Mounts 1).Source}}')).to.equal("a\n/b");
    expect(fill("{{$pid := .State.Pid}}pid {{$pid}}")).to.equal("pid 42");
    expect(fill("{{truncate .Name 2}}|{{pad `x` 1 2}}|{{slice .Name 1 3}}")).to.equal("/w| x  |we");
  });

  it("takes white space away where it is told to", () => {
    expect(fill("a  {{- /* nothing */ -}}  b {{- .State.Pid -}} c")).to.equal("ab42c");
  });

  it("says which field or function there is not, and which was meant", () => {
    expect(refused("TEMPLATE_FAILED", () => fill("{{.State.Runing}}")).why).to.include('did you mean "Running"?');
    expect(refused("TEMPLATE_FAILED", () => fill("{{uper .Name}}")).why).to.include('did you mean "upper"?');
    expect(refused("TEMPLATE_FAILED", () => fill("{{index .Mounts 9}}")).why).to.include("out of range");
    expect(refused("TEMPLATE_FAILED", () => fill("{{.Name.Deep}}")).why).to.include("can't evaluate field Deep");
    expect(refused("TEMPLATE_FAILED", () => fill("{{$gone}}")).why).to.include("undefined variable");
    for (const broken of ["{{.Name", "{{if .Name}}x", "{{end}}", "{{}}", "{{.Name ;}}", '{{index "a}}', "{{(.Name}}"])
      refused("TEMPLATE_INVALID", () => fill(broken));
  });
});
