import { LayerPhase, type LayerProgress, type PullResponse } from "#proto/ctl/images/v1/images.ts";
import { humanSize, shortId } from "./human.ts";
import type { Output } from "./output.ts";
import { spokenReference } from "./reference.ts";

export interface PullProgress {
  show(answer: PullResponse): void;
  /** Leaves the cursor below the bars. */
  end(): void;
}

export interface PullProgressOptions {
  readonly reference: string;
  /** A `run` found that the image is not here, and says so first. */
  readonly isMissing?: boolean;
}

/** How a pull is shown: a bar for each layer on a terminal, a line for each step otherwise. */
export async function openPullProgress(output: Output, options: PullProgressOptions): Promise<PullProgress> {
  const layers = (await output.isTerminal()) ? new LayerBars(output) : new LayerLines(output);
  const spoken = spokenReference(options.reference);
  return {
    show({ event }) {
      if (event === undefined) return;
      if (event.$case === "started") {
        if (options.isMissing === true) output.text(`Unable to find image '${spoken.familiar}' locally\n`);
        output.text(`${spoken.version}: Pulling from ${spoken.path}\n`);
        layers.begin(event.value.layers.map(({ digest }) => digest));
      }
      if (event.$case === "layer") layers.update(event.value);
      if (event.$case === "finished") {
        layers.end();
        output.text(summary(event.value.image?.repoDigests[0], event.value.changed, spoken.familiar));
      }
    },
    end: () => layers.end(),
  };
}

function summary(repoDigest: string | undefined, changed: boolean, familiar: string): string {
  const digest = repoDigest?.split("@")[1];
  const status = changed ? `Downloaded newer image for ${familiar}` : `Image is up to date for ${familiar}`;
  return `${digest === undefined ? "" : `Digest: ${digest}\n`}Status: ${status}\n`;
}

const PHASES: Readonly<Record<number, string>> = {
  [LayerPhase.EXISTS]: "Already exists",
  [LayerPhase.WAITING]: "Waiting",
  [LayerPhase.DOWNLOADING]: "Downloading",
  [LayerPhase.EXTRACTING]: "Extracting",
  [LayerPhase.DONE]: "Pull complete",
  [LayerPhase.RETRYING]: "Retrying",
};

/** A line when a layer's phase changes. */
class LayerLines {
  readonly #output: Output;
  readonly #phases = new Map<string, LayerPhase>();

  constructor(output: Output) {
    this.#output = output;
  }

  begin(_digests: readonly string[]): void {}

  update({ digest, phase, message }: LayerProgress): void {
    if (this.#phases.get(digest) === phase) return;
    this.#phases.set(digest, phase);
    this.#output.text(`${shortId(digest)}: ${PHASES[phase] ?? ""}${message === "" ? "" : `: ${message}`}\n`);
  }

  end(): void {}
}

const FRAME_MS = 50;
const BAR_CELLS = 50;

/** A line for each layer, drawn over again in place. */
class LayerBars {
  readonly #output: Output;
  readonly #lines = new Map<string, string>();
  #drawn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(output: Output) {
    this.#output = output;
  }

  begin(digests: readonly string[]): void {
    for (const digest of digests) this.#lines.set(digest, "Waiting");
    this.#draw();
  }

  update(layer: LayerProgress): void {
    this.#lines.set(layer.digest, barLine(layer));
    this.#timer ??= setTimeout(() => this.#draw(), FRAME_MS);
  }

  end(): void {
    if (this.#timer !== undefined) this.#draw();
    this.#drawn = 0;
    this.#lines.clear();
  }

  #draw(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const width = this.#output.columns() - 1;
    const lines = [...this.#lines].map(
      ([digest, line]) => `\r\x1b[2K${`${shortId(digest)}: ${line}`.slice(0, width)}\n`,
    );
    // a wrapped line would spoil the count of lines to go up
    const up = this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A`;
    this.#output.text(up + lines.join(""));
    this.#drawn = lines.length;
  }
}

function barLine({ phase, currentBytes, totalBytes, message }: LayerProgress): string {
  const name = PHASES[phase] ?? "";
  if (phase === LayerPhase.RETRYING && message !== "") return `${name}: ${message}`;
  const isMoving = phase === LayerPhase.DOWNLOADING || phase === LayerPhase.EXTRACTING;
  if (!isMoving || totalBytes === 0) return name;
  const done = Math.min(BAR_CELLS, Math.floor((currentBytes / totalBytes) * BAR_CELLS));
  const bar = `${"=".repeat(Math.max(0, done - 1))}${done > 0 ? ">" : ""}`.padEnd(BAR_CELLS);
  return `${name.padEnd(11)} [${bar}] ${humanSize(currentBytes)}/${humanSize(totalBytes)}`;
}
