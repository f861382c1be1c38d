import type { ContainerRow } from "../store/containers.ts";
import type { DueRow } from "../store/due.ts";

/** From the first time that its removal is asked about: a client tries to come back ten times a second. */
const RETURN_MS = 5_000;
/** One that came back reads at its own pace, but a container does not stay for ever because nobody reads. */
const READ_MS = 60_000;

/** The year 9999. */
const NEVER_MS = 253_370_764_800_000;

interface Audience {
  /** Clients that are attached now. */
  live: number;
  isBroken: boolean;
  askedAtMs: number | undefined;
}

/** One client in the foreground. Dispose it when its call ends. */
export interface ForegroundClient extends Disposable {
  /** It has all that it wanted, and says so. */
  hasLeft(): void;
}

/**
 * Clients in the foreground of `--rm` containers. Such a container goes as soon as it has ended, and its output with it. A
 * client whose stream broke before it had the last byte (a part of the daemon was restarted) comes back within moments:
 * until it has, or has not come, the removal waits. An object for the life of this process; what broke with the process
 * before it is known by the run being older than this.
 */
export class ForegroundClients {
  readonly #audiences = new Map<string, Audience>();
  readonly #bornAt = Date.now();

  /** Undefined: nobody waits in the foreground for this one's removal. */
  begin({ id, spec }: ContainerRow): ForegroundClient | undefined {
    if (spec.isAwaited !== true) return undefined;
    const audience = this.#audienceOf(id);
    audience.live++;
    let hasLeft = false;
    return {
      hasLeft: () => {
        hasLeft = true;
      },
      [Symbol.dispose]: () => {
        audience.live--;
        audience.isBroken = !hasLeft;
        audience.askedAtMs = undefined;
      },
    };
  }

  /**
   * One that ends now goes with its end when its run began since then: nobody lost its stream, or it was lost with the
   * process before this one.
   */
  removableSince(id: string): Date {
    const known = this.#audiences.get(id);
    if (known === undefined) return new Date(this.#bornAt);
    return new Date(known.isBroken ? NEVER_MS : 0);
  }

  /** Whether the removal that is due may begin. */
  mayRemove({ id, is_awaited, started_at }: DueRow): boolean {
    if (!is_awaited) return true;
    const known = this.#audiences.get(id);
    const isBroken = known?.isBroken ?? (started_at !== null && started_at.getTime() < this.#bornAt);
    if (!isBroken) return true;
    const audience = known ?? this.#audienceOf(id);
    audience.isBroken = true;
    audience.askedAtMs ??= performance.now();
    return performance.now() - audience.askedAtMs > (audience.live > 0 ? READ_MS : RETURN_MS);
  }

  /** It is gone. */
  forget(id: string): void {
    this.#audiences.delete(id);
  }

  #audienceOf(id: string): Audience {
    const audience = this.#audiences.get(id) ?? { live: 0, isBroken: false, askedAtMs: undefined };
    this.#audiences.set(id, audience);
    return audience;
  }
}
