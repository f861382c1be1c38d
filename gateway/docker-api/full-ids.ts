import type { CtlError } from "../../services/kit/errors.ts";
import type { ApiCall, DockerApiDeps } from "./deps.ts";

/** Errors that Docker tells with the container's id, whatever the client called it. */
const TOLD_BY_ID = ["CONTAINER_NOT_RUNNING", "CONTAINER_NOT_PAUSED"];
/** Errors whose texts hold ids as people read them, of twelve digits. */
const WITH_SHORT_IDS = ["CONTAINER_NAME_IN_USE", "VOLUME_IN_USE"];
const SHORT_ID = /\b[0-9a-f]{12}\b/g;

/** What an error is about, in Docker's way. It asks for the id only after something was refused. */
export async function subjectFor(
  { reason, what }: CtlError,
  subject: string,
  deps: DockerApiDeps,
  call: ApiCall,
): Promise<string> {
  const isPausedAlready = reason === "CONTAINER_PAUSED" && what.startsWith("pause");
  return TOLD_BY_ID.includes(reason) || isPausedAlready ? idOf(subject, deps, call) : subject;
}

/** The message with whole ids: clients take them for their next request. */
export async function withFullIds(
  { reason }: CtlError,
  message: string,
  deps: DockerApiDeps,
  call: ApiCall,
): Promise<string> {
  if (!WITH_SHORT_IDS.includes(reason)) return message;
  const found = new Map<string, string>();
  for (const id of new Set(message.match(SHORT_ID))) found.set(id, await idOf(id, deps, call));
  return message.replaceAll(SHORT_ID, (id) => found.get(id) ?? id);
}

/** One that cannot be found any more is called as before. */
async function idOf(ref: string, { containers }: DockerApiDeps, call: ApiCall): Promise<string> {
  const inspection = containers.inspectContainer({ ref, withSize: false }, call);
  return inspection.then(
    ({ container }) => container?.id ?? ref,
    () => ref,
  );
}
