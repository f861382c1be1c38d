const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Docker's rough durations: "2 minutes", "About an hour". */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / SECOND);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(milliseconds / MINUTE);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.round(milliseconds / HOUR);
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(milliseconds / HOUR / 24 / 365)} years`;
}

/** "2 minutes ago". */
export function humanAgo(then: Date, now: number): string {
  return `${humanDuration(now - then.getTime())} ago`;
}

/** Decimal units, as Docker shows images: "142MB", "1.24kB". */
export function humanSize(bytes: number, precision = 3): string {
  return scaled(bytes, 1000, ["B", "kB", "MB", "GB", "TB", "PB"], precision);
}

/** Binary units, as Docker shows memory: "7.76GiB". */
export function humanMemory(bytes: number): string {
  return scaled(bytes, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"], 4);
}

function scaled(bytes: number, base: number, units: readonly string[], precision: number): string {
  let value = bytes;
  let index = 0;
  for (; value >= base && index < units.length - 1; index++) value /= base;
  return `${Number(value.toPrecision(precision))}${units[index]}`;
}

/** Go's default text of a local time, as Docker prints it: "2026-01-31 12:00:00 +0000 UTC". */
export function goTime(date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const offset = -date.getTimezoneOffset();
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.trunc(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  return `${day} ${clock} ${zone} ${offset === 0 ? "UTC" : zone}`;
}

/** At most so many characters, the last of them an ellipsis when it was cut. */
export function ellipsis(text: string, most: number): string {
  if (text.length <= most) return text; // never fewer units than characters
  const characters = [...text];
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join("")}…`;
}

/** The twelve digits that Docker shows of an id. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 12);
}
