/**
 * A receiver that does as little as it may: takes windows over TLS, inflates them in the thread pool, acknowledges without
 * delay, as receivers on Netty (Logstash) and in Go do: a second acknowledgement would wait up to 40 ms for the kernel else.
 */
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:tls";
import { promisify } from "node:util";
import { inflate } from "node:zlib";

const [certificate = "", key = ""] = process.argv.slice(2);
const decompress = promisify(inflate);
let events = 0;

const options = { cert: readFileSync(certificate), key: readFileSync(key), noDelay: true };
const server = createServer(options, (socket) => {
  let buffer: Buffer = Buffer.alloc(0);
  let count = 0;
  let work = Promise.resolve();
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => {
    buffer = buffer.length === 0 ? chunk : Buffer.concat([buffer, chunk]);
    while (buffer.length >= 6) {
      const type = buffer[1];
      const value = buffer.readUInt32BE(2);
      if (type === 0x57) {
        count = value;
        buffer = buffer.subarray(6);
        continue;
      }
      if (buffer.length < 6 + value) return;
      const version = buffer[0] ?? 0;
      const expected = count;
      const inflated = decompress(buffer.subarray(6, 6 + value), { chunkSize: 1_048_576 });
      // Acknowledged in order, whichever thread was faster.
      work = work.then(async () => {
        await inflated;
        events += expected;
        const ack = Buffer.from([version, 0x41, 0, 0, 0, 0]);
        ack.writeUInt32BE(expected, 2);
        socket.write(ack);
      });
      buffer = buffer.subarray(6 + value);
    }
  });
});
server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on("message", () => process.send?.({ events, cpu: process.cpuUsage() }));
process.on("disconnect", () => process.exit(0));
