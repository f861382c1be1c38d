import { expect } from "chai";
import {
  familiarName,
  familiarReference,
  formatReference,
  parseReference,
  repositoryName,
} from "../../../services/images/reference.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;

describe("image references", () => {
  const normalised: readonly (readonly [typed: string, whole: string, familiar: string])[] = [
    ["nginx", "docker.io/library/nginx:latest", "nginx:latest"],
    ["nginx:1.25-alpine", "docker.io/library/nginx:1.25-alpine", "nginx:1.25-alpine"],
    ["bitnami/redis", "docker.io/bitnami/redis:latest", "bitnami/redis:latest"],
    ["docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"],
    ["index.docker.io/library/nginx", "docker.io/library/nginx:latest", "nginx:latest"],
    ["docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"],
    ["localhost/x", "localhost/x:latest", "localhost/x:latest"],
    ["localhost:5000/x/y:1", "localhost:5000/x/y:1", "localhost:5000/x/y:1"],
    ["[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"],
    ["ghcr.io/a_b/c__d/e-f--g:v1.0_x", "ghcr.io/a_b/c__d/e-f--g:v1.0_x", "ghcr.io/a_b/c__d/e-f--g:v1.0_x"],
    ["Registry/x", "Registry/x:latest", "Registry/x:latest"],
    [`nginx@${DIGEST}`, `docker.io/library/nginx@${DIGEST}`, `nginx@${DIGEST}`],
    [`nginx:1@${DIGEST}`, `docker.io/library/nginx:1@${DIGEST}`, `nginx:1@${DIGEST}`],
  ];
  for (const [typed, whole, familiar] of normalised) {
    it(`reads ${typed} as ${whole}`, () => {
      const reference = parseReference(typed);
      expect(formatReference(reference)).to.equal(whole);
      expect(familiarReference(reference)).to.equal(familiar);
      expect(parseReference(whole)).to.deep.equal(reference);
    });
  }

  it("tells the repository apart from tag and digest", () => {
    const reference = parseReference(`localhost:5000/a/b:1@${DIGEST}`);
    expect(reference).to.deep.equal({ domain: "localhost:5000", repository: "a/b", tag: "1", digest: DIGEST });
    expect(repositoryName(reference)).to.equal("localhost:5000/a/b");
    expect(familiarName(parseReference("nginx:1"))).to.equal("nginx");
  });

  const refused: readonly (readonly [name: string, text: string])[] = [
    ["nothing", ""],
    ["upper-case letters", "Nginx"],
    ["a space", "ng inx"],
    ["an image id", "ab".repeat(32)],
    ["an empty tag", "nginx:"],
    ["a tag that starts with a dot", "nginx:.x"],
    ["a tag of 129 characters", `nginx:${"a".repeat(129)}`],
    ["a short digest", "nginx@sha256:abcd"],
    ["an unknown digest", `nginx@md5:${"ab".repeat(32)}`],
    ["two separators", "a..b"],
    ["three underscores", "a___b"],
    ["an empty part", "a//b"],
    ["a trailing slash", "a/"],
    ["a leading slash", "/a"],
    ["a parent directory", "docker.io/../etc"],
    ["a domain that ends in a hyphen", "x-.io/a"],
    ["a name of 256 characters", `localhost/${"a".repeat(256)}`],
    ["a scheme", "https://docker.io/nginx"],
    ["a megabyte", "a".repeat(1 << 20)],
  ];
  for (const [name, text] of refused) {
    it(`refuses ${name}`, () => {
      expect(() => parseReference(text))
        .to.throw()
        .that.includes({ code: "INVALID_ARGUMENT", reason: "INVALID_REFERENCE" });
    });
  }

  it("takes a name of 255 characters and a tag of 128", () => {
    const reference = parseReference(`localhost/${"a".repeat(255)}:${"b".repeat(128)}`);
    expect(reference.repository).to.have.length(255);
    expect(reference.tag).to.have.length(128);
  });
});
