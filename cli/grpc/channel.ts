import { CtlError } from "../../services/kit/errors.ts";
import { Http2Connection } from "../http2/connection.ts";
import type { Address } from "../http2/transport.ts";
import { Call, type CallOptions, type Method } from "./call.ts";

/** A connection to one gRPC server; it does not reconnect: open another one. */
export class Channel implements Disposable {
  readonly #connection: Http2Connection;

  private constructor(connection: Http2Connection) {
    this.#connection = connection;
  }

  /** Throws the system's error when nothing serves there. */
  static async open(address: Address): Promise<Channel> {
    return new Channel(await Http2Connection.open(address));
  }

  get isUsable(): boolean {
    return this.#connection.isUsable;
  }

  /** One request, one answer. Throws the CtlError that the daemon threw. */
  async unary<Req, Res>(method: Method<Req, Res>, request: Req, options: CallOptions = {}): Promise<Res> {
    const answers: Res[] = [];
    for await (const answer of this.stream(method, request, options)) answers.push(answer);
    const [answer] = answers;
    if (answer !== undefined) return answer;
    throw new CtlError("INTERNAL", {
      reason: "NO_ANSWER",
      what: `call ${method.path}`,
      why: "the daemon ended the call without an answer",
    });
  }

  /** One request, many answers. Leaving the iteration cancels the call. */
  stream<Req, Res>(method: Method<Req, Res>, request: Req, options: CallOptions = {}): AsyncIterable<Res> {
    const call = this.open(method, options);
    void call.send(request, true);
    return call;
  }

  /** Requests and answers as they come. */
  open<Req, Res>(method: Method<Req, Res>, options: CallOptions = {}): Call<Req, Res> {
    return new Call(this.#connection, method, options);
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}
