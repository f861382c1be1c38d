import type { Call } from "../grpc/call.ts";

/** Headers are small: sent one by one they would cost a message each. */
const MESSAGE_BYTES = 256 << 10;

/**
 * Sends what a source gives as messages of a call behind its first one, and reads the call to its end. Answers the bytes
 * and the last message; a source that waits for somebody to type does not keep a call that has ended.
 */
export async function sendStream<Req, Res>(
  call: Call<Req, Res>,
  first: Req,
  chunks: AsyncIterable<Uint8Array>,
  toMessage: (data: Buffer) => Req,
): Promise<{ readonly bytes: number; readonly answer: Res | undefined }> {
  await call.send(first);
  const messages = batched(chunks);
  const refused = call.ended.then(() => undefined);
  let bytes = 0;
  let answer: Res | undefined;
  try {
    for (let next = await Promise.race([messages.next(), refused]); next?.done === false; ) {
      bytes += next.value.length;
      await call.send(toMessage(next.value));
      next = await Promise.race([messages.next(), refused]);
    }
    await call.closeSend();
    for await (const message of call) answer = message;
  } finally {
    call.cancel();
  }
  return { bytes, answer };
}

async function* batched(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let batch: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    batch.push(chunk);
    size += chunk.length;
    if (size < MESSAGE_BYTES) continue;
    yield Buffer.concat(batch);
    [batch, size] = [[], 0];
  }
  if (size > 0) yield Buffer.concat(batch);
}
