import { connectError, type DaemonAddress } from "./connect.ts";
import type { Call, CallOptions, Method } from "./grpc/call.ts";
import { Channel } from "./grpc/channel.ts";
import type { Trace } from "./telemetry/trace.ts";

/**
 * The daemon behind its socket: connected at the first call, and again when that connection broke. A call has no
 * deadline of its own: the daemon sets one for each step, and says which one passed.
 */
export class Daemon {
  readonly address: DaemonAddress;
  readonly #trace: Trace | undefined;
  #channel: Promise<Channel> | undefined;

  constructor(address: DaemonAddress, trace: Trace | undefined) {
    this.address = address;
    this.#trace = trace;
  }

  async unary<Req, Res>(method: Method<Req, Res>, request: Req, options: CallOptions = {}): Promise<Res> {
    const channel = await this.#connected();
    const span = this.#trace?.startCall(method.path);
    try {
      const answer = await channel.unary(method, request, {
        ...options,
        metadata: { ...options.metadata, ...span?.headers },
      });
      span?.end();
      return answer;
    } catch (error) {
      span?.end(error);
      throw error;
    }
  }

  async *stream<Req, Res>(method: Method<Req, Res>, request: Req, options: CallOptions = {}): AsyncGenerator<Res> {
    const channel = await this.#connected();
    const span = this.#trace?.startCall(method.path);
    try {
      yield* channel.stream(method, request, { ...options, metadata: { ...options.metadata, ...span?.headers } });
      span?.end();
    } catch (error) {
      span?.end(error);
      throw error;
    } finally {
      span?.end();
    }
  }

  async open<Req, Res>(method: Method<Req, Res>, options: CallOptions = {}): Promise<Call<Req, Res>> {
    const channel = await this.#connected();
    const span = this.#trace?.startCall(method.path);
    const call = channel.open(method, { ...options, metadata: { ...options.metadata, ...span?.headers } });
    if (span !== undefined) void call.ended.then((error) => span.end(error));
    return call;
  }

  async #connected(): Promise<Channel> {
    const current = await this.#channel?.catch(() => undefined);
    if (current?.isUsable) return current;
    this.#channel = Channel.open(this.address.socket);
    try {
      return await this.#channel;
    } catch (error) {
      throw connectError(error, this.address);
    }
  }
}
