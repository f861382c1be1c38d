const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A duration as `docker ps` shows it: "4 seconds", "About a minute", "2 weeks". */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const hours = Math.round(seconds / HOUR);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < MINUTE) return `${seconds} seconds`;
  if (seconds < 2 * MINUTE) return "About a minute";
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} minutes`;
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (seconds < 14 * DAY) return `${Math.floor(seconds / DAY)} days`;
  if (seconds < 60 * DAY) return `${Math.floor(seconds / (7 * DAY))} weeks`;
  if (seconds < 730 * DAY) return `${Math.floor(seconds / (30 * DAY))} months`;
  return `${Math.floor(seconds / (365 * DAY))} years`;
}
