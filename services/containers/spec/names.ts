import { randomInt } from "node:crypto";
import { CtlError } from "../../kit/errors.ts";

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}$/;

/** A container's name, without the slash that Docker's API puts before it. Throws INVALID_ARGUMENT CONTAINER_NAME_INVALID. */
export function parseContainerName(text: string): string {
  const name = text.startsWith("/") ? text.slice(1) : text;
  if (NAME.test(name)) return name;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "CONTAINER_NAME_INVALID",
    what: `use the container name "${text.slice(0, 140)}"`,
    why: "only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed, 2 to 128 of them",
    fix: "choose another --name",
  });
}

/** A name for who gave none: an adjective and a bird. Uniqueness is the database's business: ask again when it is taken. */
export function randomName(attempt: number): string {
  const pick = (words: readonly string[]): string => words[randomInt(words.length)] ?? "plain";
  const name = `${pick(ADJECTIVES)}_${pick(BIRDS)}`;
  return attempt === 0 ? name : `${name}${randomInt(10 ** Math.min(attempt, 6))}`;
}

const ADJECTIVES = (
  "able agile amber ample bold brave brisk calm candid civil clear clever cosmic crisp curious daring deft eager early " +
  "easy exact fair fancy fast fine firm fleet fluent fresh frosty gentle glad golden grand happy hardy honest humble " +
  "jolly keen kind lively loyal lucid lucky mellow merry mighty modest neat nimble noble patient placid plucky polite " +
  "prime proud quick quiet rapid ready robust rosy sharp shiny silent silver sleek smart smooth snug solid spry steady " +
  "stout sunny sure swift tidy trusty vivid warm wise witty zesty"
).split(" ");

const BIRDS = (
  "albatross avocet bittern blackbird bluetit bunting bustard buzzard chaffinch coot cormorant crane crossbill crow " +
  "cuckoo curlew dipper dove dunlin dunnock egret eider falcon fieldfare finch flamingo gannet godwit goldcrest goose " +
  "goshawk grebe grouse gull harrier hawfinch heron hobby hoopoe ibis jackdaw jay kestrel kingfisher kite kittiwake " +
  "lapwing lark linnet magpie mallard martin merlin moorhen nightjar nuthatch oriole osprey ouzel owl partridge pelican " +
  "petrel pheasant pipit plover puffin quail rail raven redstart redwing robin rook ruff sandpiper shrike siskin skua " +
  "snipe sparrow starling stork swallow swan swift teal tern thrush treecreeper turnstone wagtail warbler waxwing " +
  "wheatear whinchat wigeon woodcock wren wryneck"
).split(" ");
