/** DNS messages in a stream of bytes, each behind its length in two bytes: RFC 1035, 4.2.2. */
export interface TcpMessages {
  take(bytes: Buffer | string): void;
}

export function tcpMessages(onMessage: (message: Buffer) => void): TcpMessages {
  let pending: Buffer = Buffer.alloc(0);
  return {
    take: (bytes) => {
      pending = Buffer.concat([pending, typeof bytes === "string" ? Buffer.from(bytes) : bytes]);
      while (pending.length >= 2) {
        const length = pending.readUInt16BE(0);
        if (pending.length < 2 + length) return;
        onMessage(Buffer.from(pending.subarray(2, 2 + length)));
        pending = pending.subarray(2 + length);
      }
    },
  };
}

export function withLength(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length, 0);
  return Buffer.concat([length, message]);
}
