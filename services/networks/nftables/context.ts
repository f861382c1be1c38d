import koffi from "koffi";

/** enum nft_ctx_output flags of libnftables.h */
const OUTPUT_STATELESS = 1 << 2;
const OUTPUT_HANDLE = 1 << 3;
const OUTPUT_JSON = 1 << 4;
const OUTPUT_NUMERIC_ALL = 0b1111 << 7;
const OUTPUT_TERSE = 1 << 11;

export interface NftRequest {
  /** One or more nft commands; all of one call are one transaction. */
  readonly script: string;
  /** What a `list` in it prints: `json-terse` and `text` leave out the elements of sets and maps, `text` has handles. */
  readonly output: "none" | "json" | "json-terse" | "text";
}

export type NftOutcome =
  | { readonly isApplied: true; readonly output: string }
  | { readonly isApplied: false; readonly text: string };

/**
 * libnftables in the network namespace in which its thread is when this is made. One thread's own. 0.1 ms for an element
 * of a map, where starting `nft` costs 15 ms (2 cores). See libnftables(3).
 */
export class NftContext implements Disposable {
  readonly #context: unknown;
  readonly #run: (context: unknown, script: string) => number;
  readonly #output: (context: unknown) => string | null;
  readonly #error: (context: unknown) => string | null;
  readonly #setFlags: (context: unknown, flags: number) => void;
  readonly #free: (context: unknown) => void;

  constructor() {
    const library = koffi.load("libnftables.so.1");
    const create = library.func("void *nft_ctx_new(uint32_t)");
    this.#run = library.func("int nft_run_cmd_from_buffer(void *, const char *)");
    this.#output = library.func("const char *nft_ctx_get_output_buffer(void *)");
    this.#error = library.func("const char *nft_ctx_get_error_buffer(void *)");
    this.#setFlags = library.func("void nft_ctx_output_set_flags(void *, unsigned int)");
    this.#free = library.func("void nft_ctx_free(void *)");
    this.#context = create(0);
    library.func("int nft_ctx_buffer_output(void *)")(this.#context);
    library.func("int nft_ctx_buffer_error(void *)")(this.#context);
  }

  /** All of the script or nothing of it. What it says to stdout or stderr is in the outcome. */
  run({ script, output }: NftRequest): NftOutcome {
    this.#setFlags(this.#context, flagsOf(output));
    const isApplied = this.#run(this.#context, script) === 0;
    // reading a buffer empties it, so both are read each time
    const text = this.#error(this.#context) ?? "";
    const printed = this.#output(this.#context) ?? "";
    return isApplied ? { isApplied, output: printed } : { isApplied, text };
  }

  [Symbol.dispose](): void {
    this.#free(this.#context);
  }
}

function flagsOf(output: NftRequest["output"]): number {
  if (output === "none") return 0;
  if (output === "text") return OUTPUT_STATELESS | OUTPUT_HANDLE | OUTPUT_TERSE;
  return OUTPUT_JSON | OUTPUT_NUMERIC_ALL | (output === "json-terse" ? OUTPUT_TERSE : 0);
}
