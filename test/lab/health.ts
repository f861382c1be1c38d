import { existsSync } from "node:fs";
import { Client, credentials } from "@grpc/grpc-js";

/** grpc.health.v1.HealthCheckResponse { status: SERVING } is field 1, varint 1. */
const SERVING = Buffer.from([8, 1]);

/** Whether a gRPC server answers SERVING on this unix socket, within a second. */
export async function isServing(socket: string): Promise<boolean> {
  if (!existsSync(socket)) return false;
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  const answered = Promise.withResolvers<boolean>();
  const same = (bytes: Buffer): Buffer => bytes;
  client.makeUnaryRequest(
    "/grpc.health.v1.Health/Check",
    same,
    same,
    Buffer.alloc(0),
    { deadline: Date.now() + 1_000 },
    (error, response) => answered.resolve(error === null && response !== undefined && SERVING.equals(response)),
  );
  try {
    return await answered.promise;
  } finally {
    client.close();
  }
}
