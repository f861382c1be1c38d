import { expect } from "chai";
import { errorAnswer, exceptionalReasons } from "../../../../gateway/docker-api/errors.ts";
import { CtlError, type ErrorCode } from "../../../../services/kit/errors.ts";

interface Case {
  readonly code: ErrorCode;
  readonly what?: string;
  readonly why?: string;
  readonly subject?: string;
  readonly status: number;
  readonly message: string;
}

const ID = "4c01db0b339c";

/** One case per reason that Docker answers in its own way: what a client sees. */
const CASES: Readonly<Record<string, Case>> = {
  PAGE_NOT_FOUND: { code: "NOT_FOUND", status: 404, message: "page not found" },
  NOT_A_SWARM_MANAGER: {
    code: "UNAVAILABLE",
    status: 503,
    message:
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  },
  API_VERSION_UNSUPPORTED: { code: "INVALID_ARGUMENT", why: "too old", status: 400, message: "too old" },
  REQUEST_INVALID: { code: "INVALID_ARGUMENT", why: "as it is", status: 400, message: "as it is" },
  PLUGIN_NOT_FOUND: { code: "NOT_FOUND", why: 'plugin "x" not found', status: 404, message: 'plugin "x" not found' },
  BODY_TOO_LARGE: { code: "INVALID_ARGUMENT", why: "too large", status: 413, message: "too large" },
  NOT_SERVED: { code: "UNIMPLEMENTED", why: "not served", status: 501, message: "not served" },
  CONTAINER_NOT_FOUND: { code: "NOT_FOUND", status: 404, message: "No such container: web" },
  CONTAINER_ID_AMBIGUOUS: {
    code: "INVALID_ARGUMENT",
    status: 400,
    message: "multiple IDs found with provided prefix: web",
  },
  CONTAINER_NAME_IN_USE: {
    code: "ALREADY_EXISTS",
    what: 'use the name "web" for a container',
    why: `container ${ID} has that name`,
    subject: "nginx",
    status: 409,
    message: `Conflict. The container name "/web" is already in use by container "${ID}". You have to remove (or rename) that container to be able to reuse that name.`,
  },
  CONTAINER_NAME_INVALID: {
    code: "INVALID_ARGUMENT",
    what: 'use the container name "a b"',
    status: 400,
    message: "Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
  },
  CONTAINER_NAME_UNCHANGED: { code: "INVALID_ARGUMENT", why: "the same name", status: 400, message: "the same name" },
  CONTAINER_RUNNING: {
    code: "FAILED_PRECONDITION",
    what: "remove container web",
    why: "it is running",
    status: 409,
    message: 'cannot remove container "/web": container is running: stop the container before removing or force remove',
  },
  CONTAINER_BEING_REMOVED: {
    code: "FAILED_PRECONDITION",
    status: 409,
    message: "removal of container web is already in progress",
  },
  CONTAINER_NOT_RUNNING: { code: "FAILED_PRECONDITION", status: 409, message: "container web is not running" },
  CONTAINER_PAUSED: {
    code: "FAILED_PRECONDITION",
    what: "pause container web",
    status: 409,
    message: "Container web is already paused",
  },
  CONTAINER_NOT_PAUSED: { code: "FAILED_PRECONDITION", status: 409, message: "Container web is not paused" },
  NO_COMMAND: { code: "INVALID_ARGUMENT", status: 400, message: "no command specified" },
  SIGNAL_INVALID: {
    code: "INVALID_ARGUMENT",
    what: 'send the signal "FOO"',
    status: 400,
    message: "Invalid signal: FOO",
  },
  COMMAND_NOT_FOUND: {
    code: "FAILED_PRECONDITION",
    why: 'the container has no program "nope"',
    status: 400,
    message:
      'failed to create task for container: the container has no program "nope": executable file not found in $PATH',
  },
  COMMAND_NOT_EXECUTABLE: {
    code: "FAILED_PRECONDITION",
    why: "/etc/passwd cannot be executed",
    status: 400,
    message: "failed to create task for container: /etc/passwd cannot be executed: permission denied",
  },
  COMMAND_INTERPRETER_MISSING: {
    code: "FAILED_PRECONDITION",
    why: '"/run.sh" needs bash',
    status: 400,
    message: 'failed to create task for container: "/run.sh" needs bash: no such file or directory',
  },
  COMMAND_LOADER_MISSING: {
    code: "FAILED_PRECONDITION",
    why: '"/run" needs ld.so',
    status: 400,
    message: 'failed to create task for container: "/run" needs ld.so: no such file or directory',
  },
  COMMAND_HAS_CRLF: {
    code: "FAILED_PRECONDITION",
    why: '"/run.sh" has CRLF',
    status: 400,
    message: 'failed to create task for container: "/run.sh" has CRLF: no such file or directory',
  },
  COMMAND_WRONG_ARCHITECTURE: {
    code: "FAILED_PRECONDITION",
    why: '"/run" is for arm64',
    status: 400,
    message: 'failed to create task for container: "/run" is for arm64: permission denied',
  },
  COMMAND_NOT_A_PROGRAM: {
    code: "FAILED_PRECONDITION",
    why: '"/run" is empty',
    status: 400,
    message: 'failed to create task for container: "/run" is empty: permission denied',
  },
  RUNTIME_REFUSED: {
    code: "FAILED_PRECONDITION",
    why: "bad rlimit",
    status: 500,
    message: "failed to create task for container: bad rlimit: OCI runtime create failed",
  },
  USER_UNKNOWN: {
    code: "INVALID_ARGUMENT",
    what: 'run the command as user "x"',
    status: 400,
    message: "unable to find user x: no matching entries in passwd file",
  },
  LOGS_NOT_READABLE: {
    code: "UNIMPLEMENTED",
    why: "configured logging driver does not support reading",
    status: 501,
    message: "configured logging driver does not support reading",
  },
  LOG_DRIVER_UNKNOWN: {
    code: "INVALID_ARGUMENT",
    why: "logger: no log driver named 'x' is registered",
    status: 400,
    message: 'error looking up logging plugin x: plugin "x" not found',
  },
  LOG_OPTION_UNKNOWN: {
    code: "INVALID_ARGUMENT",
    why: "unknown log opt 'x' for json-file log driver",
    status: 400,
    message: "unknown log opt 'x' for json-file log driver",
  },
  CONTAINER_PATH_NOT_FOUND: {
    code: "NOT_FOUND",
    what: 'find "etc/nope" in the container',
    status: 404,
    message: "Could not find the file /etc/nope in container web",
  },
  CONTAINER_PATH_REFUSED: {
    code: "INVALID_ARGUMENT",
    why: "extraction point is not a directory",
    status: 400,
    message: "extraction point is not a directory",
  },
  CONTAINER_PATH_READ_ONLY: {
    code: "PERMISSION_DENIED",
    why: "container rootfs is marked read-only",
    status: 403,
    message: "container rootfs is marked read-only",
  },
  EXEC_NOT_FOUND: { code: "NOT_FOUND", subject: "e1", status: 404, message: "No such exec instance: e1" },
  IMAGE_NOT_FOUND: { code: "NOT_FOUND", subject: "nope:1", status: 404, message: "No such image: nope:1" },
  IMAGE_PLATFORM_MISMATCH: { code: "NOT_FOUND", why: "another platform", status: 404, message: "another platform" },
  IMAGE_ID_AMBIGUOUS: {
    code: "INVALID_ARGUMENT",
    subject: "ab",
    status: 400,
    message: "multiple IDs found with provided prefix: ab",
  },
  IMAGE_IN_USE: {
    code: "FAILED_PRECONDITION",
    subject: "nginx",
    why: "container web is using it",
    status: 409,
    message: 'conflict: unable to remove repository reference "nginx" (must force) - container web is using it',
  },
  IMAGE_HAS_TAGS: {
    code: "FAILED_PRECONDITION",
    subject: "7229",
    status: 409,
    message: "conflict: unable to delete 7229 (must be forced) - image is referenced in multiple repositories",
  },
  INVALID_REFERENCE: { code: "INVALID_ARGUMENT", status: 400, message: "invalid reference format" },
  MANIFEST_UNKNOWN: {
    code: "NOT_FOUND",
    subject: "nginx:no",
    status: 404,
    message: "manifest for nginx:no not found: manifest unknown: manifest unknown",
  },
  PULL_DENIED: {
    code: "NOT_FOUND",
    subject: "nope",
    status: 404,
    message:
      "pull access denied for nope, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
  },
  NETWORK_NOT_FOUND: {
    code: "NOT_FOUND",
    what: 'find network "lan"',
    status: 404,
    message: "network lan not found",
  },
  NETWORK_NAME_IN_USE: {
    code: "ALREADY_EXISTS",
    what: 'create network "lan"',
    status: 409,
    message: "network with name lan already exists",
  },
  NETWORK_IN_USE: {
    code: "FAILED_PRECONDITION",
    subject: "lan",
    why: "web is on it",
    status: 403,
    message: "error while removing network: network lan has active endpoints (web is on it)",
  },
  ALIAS_REFUSED: {
    code: "INVALID_ARGUMENT",
    subject: "bridge",
    why: "network-scoped alias is supported only for containers in user defined networks",
    status: 400,
    message: "network-scoped alias is supported only for containers in user defined networks",
  },
  NETWORK_ALREADY_CONNECTED: {
    code: "ALREADY_EXISTS",
    subject: "lan",
    why: "endpoint with name web already exists in network lan",
    status: 403,
    message: "endpoint with name web already exists in network lan",
  },
  NETWORK_NOT_CONNECTED: {
    code: "FAILED_PRECONDITION",
    subject: "lan",
    why: "container web is not connected to network lan",
    status: 500,
    message: "container web is not connected to network lan",
  },
  NETWORK_BUILT_IN: {
    code: "FAILED_PRECONDITION",
    subject: "bridge",
    status: 403,
    message: "bridge is a pre-defined network and cannot be removed",
  },
  SUBNET_IN_USE: {
    code: "ALREADY_EXISTS",
    status: 403,
    message: "invalid pool request: Pool overlaps with other one on this address space",
  },
  ADDRESS_IN_USE: {
    code: "ALREADY_EXISTS",
    why: "172.20.0.2 is taken",
    status: 403,
    message: "Address already in use: 172.20.0.2 is taken",
  },
  PORT_ALREADY_PUBLISHED: {
    code: "ALREADY_EXISTS",
    what: "publish 0.0.0.0:80/tcp",
    why: 'container "web" has that port',
    status: 500,
    message:
      'failed to set up container networking: driver failed programming external connectivity on endpoint: Bind for 0.0.0.0:80 failed: port is already allocated (container "web" has that port)',
  },
  PORT_HELD_BY_PROGRAM: {
    code: "ALREADY_EXISTS",
    what: "publish 0.0.0.0:80/tcp",
    why: "nginx (process 7) holds that port",
    status: 500,
    message:
      "failed to set up container networking: driver failed programming external connectivity on endpoint: failed to bind host port for 0.0.0.0:80: address already in use (nginx (process 7) holds that port)",
  },
  VOLUME_NOT_FOUND: { code: "NOT_FOUND", subject: "data", status: 404, message: "get data: no such volume" },
  VOLUME_IN_USE: {
    code: "FAILED_PRECONDITION",
    subject: "data",
    why: `it is in use by container ${ID}`,
    status: 409,
    message: `remove data: volume is in use - [${ID}]`,
  },
  VOLUME_NAME_INVALID: {
    code: "INVALID_ARGUMENT",
    subject: "a b",
    status: 400,
    message:
      'create a b: "a b" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
  },
  BIND_SOURCE_MISSING: {
    code: "INVALID_ARGUMENT",
    what: 'mount "/nope"',
    status: 400,
    message: 'invalid mount config for type "bind": bind source path does not exist: /nope',
  },
};

describe("the Docker API's errors", () => {
  for (const [reason, one] of Object.entries(CASES)) {
    it(`say ${reason} with ${one.status} in Docker's words`, () => {
      const error = new CtlError(one.code, { reason, what: one.what ?? "do it", why: one.why ?? "no", fix: "fix it" });
      expect(errorAnswer(error, one.subject ?? "web")).to.deep.equal({ status: one.status, message: one.message });
    });
  }

  it("have a case for each reason that is told in another way than its code says", () => {
    expect(exceptionalReasons().sort()).to.deep.equal(Object.keys(CASES).sort());
  });

  it("say anything else by its code, with what failed, why and what to do", () => {
    const error = new CtlError("UNAVAILABLE", { reason: "X", what: "reach it", why: "it is away", fix: "try again" });
    expect(errorAnswer(error, "")).to.deep.equal({ status: 503, message: "cannot reach it: it is away (try again)" });
  });
});
