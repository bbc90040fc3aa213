import { type Duplex, PassThrough, type Readable, type Writable } from "node:stream";
import { demultiplex } from "./log-frames.ts";

/** Resolves when more may be written; at once when nobody takes any more. */
function room(stream: Writable): Promise<void> {
  if (stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ["drain", "close"]) stream.off(event, done);
      resolve();
    };
    for (const event of ["drain", "close"]) stream.on(event, done);
  });
}

/**
 * What a process says on a connection with it. With a terminal that is the connection itself; else stdout and stderr are taken
 * apart, and the connection is read no faster than they are. They end with it, with an error when it breaks.
 */
export function outputsOf(connection: Duplex, tty: boolean): { stdout: Readable; stderr: Readable | undefined } {
  if (tty) return { stdout: connection, stderr: undefined };
  const outputs = { stdout: new PassThrough(), stderr: new PassThrough() };
  // Whoever reads them hears of it.
  for (const output of Object.values(outputs)) output.on("error", () => undefined);
  void (async () => {
    try {
      for await (const frames of demultiplex(connection.iterator({ destroyOnReturn: false }))) {
        for (const { stream, data } of frames) if (!outputs[stream].write(data)) await room(outputs[stream]);
      }
      for (const output of Object.values(outputs)) output.end();
    } catch (error) {
      for (const output of Object.values(outputs)) output.destroy(error as Error);
    }
  })();
  return outputs;
}
