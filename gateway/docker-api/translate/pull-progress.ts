import { LayerPhase, type LayerProgress, type PullResponse } from "#proto/ctl/images/v1/images.ts";
import { jsonLine } from "../answer.ts";

interface PulledName {
  readonly path: string;
  readonly familiar: string;
  readonly tag: string;
}

/** Docker's progress lines of one pull: per layer a line where something is new, at the end the digest and the verdict. */
export class PullProgress {
  readonly #seen = new Map<string, LayerPhase>();
  /** Layers of which nothing was said yet: where all are here already, Docker says nothing about them at all. */
  #unsaid: string[] = [];
  #digest = "";
  readonly #target: PulledName;

  constructor(target: PulledName) {
    this.#target = target;
  }

  *lines(response: PullResponse): Generator<Buffer> {
    const event = response.event;
    switch (event?.$case) {
      case "started":
        this.#digest = event.value.digest;
        yield jsonLine({ status: `Pulling from ${this.#target.path}`, id: this.#target.tag });
        this.#unsaid = event.value.layers.map(({ digest }) => digest);
        return;
      case "layer":
        if (event.value.phase !== LayerPhase.EXISTS) yield* this.#announced();
        yield* this.#layerLines(event.value);
        return;
      case "finished":
        yield jsonLine({ status: `Digest: ${this.#digest || event.value.image?.manifestDigest || ""}` });
        yield jsonLine({ status: this.#verdict(event.value.changed) });
        return;
      case undefined:
        return;
      default:
        event satisfies never;
    }
  }

  #verdict(changed: boolean): string {
    const { familiar, tag } = this.#target;
    const name = tag.includes(":") ? `${familiar}@${tag}` : `${familiar}:${tag}`;
    return changed ? `Status: Downloaded newer image for ${name}` : `Status: Image is up to date for ${name}`;
  }

  /** Once one has to be fetched, a line for each. */
  *#announced(): Generator<Buffer> {
    for (const digest of this.#unsaid.splice(0)) {
      const isHere = this.#seen.get(digest) === LayerPhase.EXISTS;
      yield layerLine(isHere ? "Already exists" : "Pulling fs layer", digest);
    }
  }

  *#layerLines(layer: LayerProgress): Generator<Buffer> {
    const before = this.#seen.get(layer.digest);
    this.#seen.set(layer.digest, layer.phase);
    const isNew = before !== layer.phase;
    const hadDownloaded = before === LayerPhase.DOWNLOADING;
    switch (layer.phase) {
      case LayerPhase.EXISTS:
        if (isNew && this.#unsaid.length === 0) yield layerLine("Already exists", layer.digest);
        return;
      case LayerPhase.WAITING:
        if (isNew) yield layerLine("Waiting", layer.digest);
        return;
      case LayerPhase.DOWNLOADING:
        yield progressLine("Downloading", layer);
        return;
      case LayerPhase.EXTRACTING:
        if (hadDownloaded) yield layerLine("Download complete", layer.digest);
        yield progressLine("Extracting", layer);
        return;
      case LayerPhase.DONE:
        if (hadDownloaded) yield layerLine("Download complete", layer.digest);
        if (isNew) yield layerLine("Pull complete", layer.digest);
        return;
      case LayerPhase.RETRYING:
        yield layerLine(layer.message === "" ? "Retrying" : `Retrying: ${layer.message}`, layer.digest);
        return;
      case LayerPhase.UNSPECIFIED:
      case LayerPhase.UNRECOGNIZED:
        return;
      default:
        layer.phase satisfies never;
    }
  }
}

function layerLine(status: string, digest: string): Buffer {
  return jsonLine({ status, progressDetail: {}, id: shortId(digest) });
}

function progressLine(status: string, layer: LayerProgress): Buffer {
  const { currentBytes: current, totalBytes: total } = layer;
  const progressDetail = total > 0 ? { current, total } : { current };
  return jsonLine({ status, progressDetail, progress: bar(current, total), id: shortId(layer.digest) });
}

function shortId(digest: string): string {
  return digest.replace(/^sha256:/, "").slice(0, 12);
}

const BAR_WIDTH = 50;

function bar(current: number, total: number): string {
  if (total <= 0) return humanSize(current).padStart(8);
  const filled = Math.min(BAR_WIDTH, Math.floor((current / total) * BAR_WIDTH));
  const picture = filled >= BAR_WIDTH ? "=".repeat(BAR_WIDTH) : `${"=".repeat(filled)}>`.padEnd(BAR_WIDTH);
  return `[${picture}] ${humanSize(current).padStart(8)}/${humanSize(total)}`;
}

/** Decimal units and four digits, as go-units: 1.234MB. */
function humanSize(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let size = bytes;
  let unit = 0;
  while (size >= 1_000 && unit < units.length - 1) {
    size /= 1_000;
    unit++;
  }
  return `${Number(size.toPrecision(4))}${units[unit]}`;
}
