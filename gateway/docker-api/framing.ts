import { OutputStream } from "#proto/ctl/containers/v1/containers.ts";
import type { ApiVersion } from "./versions.ts";

const RAW_STREAM = "application/vnd.docker.raw-stream";
const MULTIPLEXED_STREAM = "application/vnd.docker.multiplexed-stream";

/** Until 1.41 frames too were called raw. */
export function streamType(version: ApiVersion, isTty: boolean): string {
  return version.minor >= 42 && !isTty ? MULTIPLEXED_STREAM : RAW_STREAM;
}

const STDOUT = 1;
const STDERR = 2;

/** Docker's frame of output: the stream's number, three zero bytes, the length (big-endian), the bytes. */
export function frame(stream: OutputStream, data: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(8 + data.length);
  framed.writeUInt32BE((stream === OutputStream.STDERR ? STDERR : STDOUT) << 24, 0);
  framed.writeUInt32BE(data.length, 4);
  framed.set(data, 8);
  return framed;
}

/** A terminal's output travels as it is, any other in frames. */
export function encoderFor(isTty: boolean): (stream: OutputStream, data: Uint8Array) => Uint8Array {
  return isTty ? (_, data) => data : frame;
}
