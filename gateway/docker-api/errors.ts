import { type CtlError, httpStatusOf } from "../../services/kit/errors.ts";

/** How one reason differs from what its code says: Docker's status, Docker's words (clients match on both). */
interface DockerAnswer {
  readonly status?: number;
  readonly message?: (error: CtlError, subject: string) => string;
}

export interface ErrorAnswer {
  readonly status: number;
  readonly message: string;
}

/** The error's own words, without what was being done: for texts that are Docker's already. */
const why = (error: CtlError): string => error.why;

/**
 * Docker's own exceptions. The docker command chooses its exit codes 126 and 127 by words in the message; it pulls an
 * image when `create` answers 404; clients look for "is not running", "already in use", "port is already allocated".
 */
const EXCEPTIONS: Readonly<Record<string, DockerAnswer>> = {
  PAGE_NOT_FOUND: { message: () => "page not found" },
  NOT_A_SWARM_MANAGER: {
    status: 503,
    message: () =>
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  },
  API_VERSION_UNSUPPORTED: { message: why },
  REQUEST_INVALID: { message: why },
  PLUGIN_NOT_FOUND: { message: why },
  BODY_TOO_LARGE: { status: 413, message: why },
  NOT_SERVED: { message: why },

  CONTAINER_NOT_FOUND: { message: (error, subject) => `No such container: ${subject || (wordOf(error) ?? "")}` },
  CONTAINER_ID_AMBIGUOUS: { message: (_, subject) => `multiple IDs found with provided prefix: ${subject}` },
  CONTAINER_NAME_IN_USE: {
    message: (error, subject) =>
      `Conflict. The container name "/${quoted(error.what) ?? subject}" is already in use by container "${holderIn(error)}". You have to remove (or rename) that container to be able to reuse that name.`,
  },
  CONTAINER_NAME_INVALID: {
    message: (error, subject) =>
      `Invalid container name (${quoted(error.what) ?? subject}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
  },
  CONTAINER_NAME_UNCHANGED: { message: why },
  CONTAINER_RUNNING: {
    message: ({ what, why: state }) =>
      `cannot remove container "/${what.replace("remove container ", "")}": container is ${state.replace("it is ", "")}${
        state.includes("paused")
          ? " and must be unpaused first"
          : ": stop the container before removing or force remove"
      }`,
  },
  CONTAINER_BEING_REMOVED: { message: (_, subject) => `removal of container ${subject} is already in progress` },
  CONTAINER_NOT_RUNNING: { message: (_, subject) => `container ${subject} is not running` },
  CONTAINER_PAUSED: {
    message: (error, subject) => {
      if (error.what.startsWith("start")) return "cannot start a paused container, try unpause instead";
      return error.what.startsWith("pause")
        ? `Container ${subject} is already paused`
        : `Container ${subject} is paused, unpause the container before exec`;
    },
  },
  CONTAINER_NOT_PAUSED: { message: (_, subject) => `Container ${subject} is not paused` },
  NO_COMMAND: { status: 400, message: () => "no command specified" },
  SIGNAL_INVALID: { message: (error) => `Invalid signal: ${quoted(error.what) ?? ""}` },
  COMMAND_NOT_FOUND: { status: 400, message: (error) => runtimeFailure(error, "executable file not found in $PATH") },
  COMMAND_NOT_EXECUTABLE: { status: 400, message: (error) => runtimeFailure(error, "permission denied") },
  COMMAND_INTERPRETER_MISSING: { status: 400, message: (error) => runtimeFailure(error, "no such file or directory") },
  COMMAND_LOADER_MISSING: { status: 400, message: (error) => runtimeFailure(error, "no such file or directory") },
  COMMAND_HAS_CRLF: { status: 400, message: (error) => runtimeFailure(error, "no such file or directory") },
  COMMAND_WRONG_ARCHITECTURE: { status: 400, message: (error) => runtimeFailure(error, "permission denied") },
  COMMAND_NOT_A_PROGRAM: { status: 400, message: (error) => runtimeFailure(error, "permission denied") },
  RUNTIME_REFUSED: { status: 500, message: (error) => runtimeFailure(error, "OCI runtime create failed") },
  USER_UNKNOWN: {
    message: (error) => `unable to find user ${quoted(error.what) ?? ""}: no matching entries in passwd file`,
  },
  LOGS_NOT_READABLE: { message: why },
  LOG_DRIVER_UNKNOWN: {
    message: (error) => {
      const name = /'([^']*)'/.exec(error.why)?.[1] ?? "";
      return `error looking up logging plugin ${name}: plugin "${name}" not found`;
    },
  },
  LOG_OPTION_UNKNOWN: { message: why },
  CONTAINER_PATH_NOT_FOUND: {
    message: (error, subject) =>
      `Could not find the file ${absolute(quoted(error.what) ?? "")} in container ${subject}`,
  },
  CONTAINER_PATH_REFUSED: { message: why },
  CONTAINER_PATH_READ_ONLY: { message: why },
  EXEC_NOT_FOUND: { message: (_, subject) => `No such exec instance: ${subject}` },

  IMAGE_NOT_FOUND: { message: (error, subject) => `No such image: ${tagged(subject || (wordOf(error) ?? ""))}` },
  IMAGE_PLATFORM_MISMATCH: { message: why },
  IMAGE_ID_AMBIGUOUS: { message: (_, subject) => `multiple IDs found with provided prefix: ${subject}` },
  IMAGE_IN_USE: {
    message: (error, subject) =>
      `conflict: unable to remove repository reference "${subject}" (must force) - ${error.why}`,
  },
  IMAGE_HAS_TAGS: {
    message: (_, subject) =>
      `conflict: unable to delete ${subject} (must be forced) - image is referenced in multiple repositories`,
  },
  INVALID_REFERENCE: { message: () => "invalid reference format" },
  MANIFEST_UNKNOWN: {
    message: (_, subject) => `manifest for ${subject} not found: manifest unknown: manifest unknown`,
  },
  PULL_DENIED: {
    message: (_, subject) =>
      `pull access denied for ${subject}, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
  },

  NETWORK_NOT_FOUND: {
    message: (error, subject) => `network ${quoted(error.why) ?? quoted(error.what) ?? subject} not found`,
  },
  NETWORK_NAME_IN_USE: {
    message: (error, subject) => `network with name ${quoted(error.what) ?? subject} already exists`,
  },
  NETWORK_IN_USE: {
    status: 403,
    message: (error, subject) => `error while removing network: network ${subject} has active endpoints (${error.why})`,
  },
  ALIAS_REFUSED: { message: why },
  NETWORK_ALREADY_CONNECTED: { status: 403, message: why },
  NETWORK_NOT_CONNECTED: { status: 500, message: why },
  NETWORK_BUILT_IN: {
    status: 403,
    message: (_, subject) => `${subject} is a pre-defined network and cannot be removed`,
  },
  SUBNET_IN_USE: {
    status: 403,
    message: () => "invalid pool request: Pool overlaps with other one on this address space",
  },
  ADDRESS_IN_USE: { status: 403, message: (error) => `Address already in use: ${error.why}` },
  PORT_ALREADY_PUBLISHED: {
    status: 500,
    message: (error) => portRefused(`Bind for ${portIn(error)} failed: port is already allocated`, error),
  },
  PORT_HELD_BY_PROGRAM: {
    status: 500,
    message: (error) => portRefused(`failed to bind host port for ${portIn(error)}: address already in use`, error),
  },

  VOLUME_NOT_FOUND: { message: (_, subject) => `get ${subject}: no such volume` },
  VOLUME_IN_USE: { message: (error, subject) => `remove ${subject}: volume is in use - [${holdersIn(error)}]` },
  VOLUME_NAME_INVALID: {
    message: (error, subject) => {
      const name = quoted(error.what) ?? subject;
      return `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`;
    },
  },
  BIND_SOURCE_MISSING: {
    message: (error) => `invalid mount config for type "bind": bind source path does not exist: ${hostPathIn(error)}`,
  },
};

/** What a client is told. `subject` is what the request's path names: a container, an image, a network, a volume. */
export function errorAnswer(error: CtlError, subject: string): ErrorAnswer {
  const exception = EXCEPTIONS[error.reason];
  const status = exception?.status ?? httpStatusOf(error.code);
  if (exception?.message !== undefined) return { status, message: exception.message(error, subject) };
  return { status, message: error.fix === undefined ? error.message : `${error.message} (${error.fix})` };
}

/** The reasons that are answered in another way than their code says, for the tests that keep each of them. */
export function exceptionalReasons(): string[] {
  return Object.keys(EXCEPTIONS);
}

function runtimeFailure(error: CtlError, phrase: string): string {
  const detail = error.why.includes(phrase) ? error.why : `${error.why}: ${phrase}`;
  return `failed to create task for container: ${detail}`;
}

function portRefused(refusal: string, { why: reason }: CtlError): string {
  return `failed to set up container networking: driver failed programming external connectivity on endpoint: ${refusal} (${reason})`;
}

function portIn({ what }: CtlError): string {
  return what.replace(/^publish (the port )?/, "").replace(/\/tcp$/, "");
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

/** Of `mount PATH of the host at TARGET`. */
function hostPathIn({ what }: CtlError): string {
  return quoted(what) ?? /^mount (.+) of the host/.exec(what)?.[1] ?? what;
}

/** What a name without a tag means; an id has none. */
function tagged(image: string): string {
  const isWhole = image.includes("@") || image.startsWith("sha256:") || /^[0-9a-f]{64}$/.test(image);
  return image === "" || isWhole || image.lastIndexOf(":") > image.lastIndexOf("/") ? image : `${image}:latest`;
}

/** Errors of looking for something end with what was looked for. */
function wordOf({ what }: CtlError): string | undefined {
  return quoted(what) ?? what.split(" ").at(-1);
}

/** Errors name the thing they speak of in double quotes, first of all. */
function quoted(text: string): string | undefined {
  return /"([^"]+)"/.exec(text)?.[1];
}

function holderIn(error: CtlError): string {
  return /\b[0-9a-f]{12,64}\b/.exec(error.why)?.[0] ?? quoted(error.why) ?? "";
}

function holdersIn(error: CtlError): string {
  return error.why.match(/\b[0-9a-f]{12,64}\b/g)?.join(", ") ?? error.why;
}
