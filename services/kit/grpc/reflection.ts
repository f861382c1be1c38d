import { EventEmitter } from "node:events";
import { readFileSync } from "node:fs";
import type {
  MethodDefinition,
  Server,
  ServerDuplexStream,
  ServiceDefinition,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";

/** Beside the bundle in dist/, else where the generator put it. */
function descriptorsPath(): URL {
  return new URL("../../../generated/descriptors.binpb", import.meta.url);
}

const VERSIONS = ["v1", "v1alpha"] as const;

/**
 * Serves gRPC reflection (v1 and v1alpha), so that grpcurl and its like need no proto files. The library and our contract
 * as it reads it take 10 MB, so they are loaded with the first question.
 */
export function addReflection(server: Server): void {
  let loading: Promise<readonly Loaded[]> | undefined;
  VERSIONS.forEach((version, index) => {
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    const serverReflectionInfo = { path, requestStream: true, responseStream: true, ...UNDECODED };
    const answer = (call: ServerDuplexStream<Buffer, Buffer>): void => {
      loading ??= loadReflection();
      const late = new LateCall(call);
      loading.then(
        (loaded) => late.begin(loaded[index]),
        (error: unknown) => call.emit("error", error),
      );
    };
    server.addService({ serverReflectionInfo }, { serverReflectionInfo: answer });
  });
}

const same = (bytes: Buffer): Buffer => bytes;
const UNDECODED = {
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
};

interface Loaded {
  readonly method: MethodDefinition<unknown, unknown>;
  readonly handler: (call: EventEmitter) => void;
}

async function loadReflection(): Promise<readonly Loaded[]> {
  const { reflectionService } = await import("./reflection-service.ts");
  const loaded: Loaded[] = [];
  const addService = (definition: ServiceDefinition, implementation: UntypedServiceImplementation): void => {
    for (const [name, method] of Object.entries(definition)) {
      // grpc-js's names for methods begin in lower case, the library's definitions in upper
      const own = implementation[name] ?? implementation[name.charAt(0).toLowerCase() + name.slice(1)];
      if (own !== undefined) loaded.push({ method, handler: own as (call: EventEmitter) => void });
    }
  };
  reflectionService(readFileSync(descriptorsPath())).addToServer({ addService });
  return loaded;
}

/** A call whose handler is not loaded yet: what comes before that is kept, and encoded and decoded for it then. */
class LateCall extends EventEmitter {
  readonly #call: ServerDuplexStream<Buffer, Buffer>;
  readonly #early: Buffer[] = [];
  #method: MethodDefinition<unknown, unknown> | undefined;
  #hasEnded = false;

  constructor(call: ServerDuplexStream<Buffer, Buffer>) {
    super();
    this.#call = call;
    call.on("data", (bytes: Buffer) => this.#take(bytes));
    call.on("end", () => {
      this.#hasEnded = true;
      if (this.#method !== undefined) this.emit("end");
    });
  }

  begin(loaded: Loaded | undefined): void {
    if (loaded === undefined) return;
    this.#method = loaded.method;
    loaded.handler(this);
    for (const bytes of this.#early.splice(0)) this.#take(bytes);
    if (this.#hasEnded) this.emit("end");
  }

  write(response: unknown): boolean {
    return this.#method === undefined ? false : this.#call.write(this.#method.responseSerialize(response));
  }

  end(): void {
    this.#call.end();
  }

  #take(bytes: Buffer): void {
    if (this.#method === undefined) this.#early.push(bytes);
    else this.emit("data", this.#method.requestDeserialize(bytes));
  }
}
