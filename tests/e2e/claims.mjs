// An authorization service over gRPC for tests: `WORD`. Prints its address, then a line for each request that it is asked
// about: the texts in it. It allows those that have this word among them.

import { createServer } from "node:http2";

const word = process.argv[2];

/** The printable texts of a message, without the bytes between them that may be printable too. */
const texts = (message) => message.toString("latin1").match(/[\w:.-]{3,}/g) ?? [];

const server = createServer();
server.on("stream", (stream) => {
  const chunks = [];
  stream.on("data", (chunk) => chunks.push(chunk));
  stream.on("end", () => {
    const found = texts(Buffer.concat(chunks).subarray(5));
    console.log(found.join(" "));
    // `CheckResponse.status`: an empty one is OK, code 7 is PERMISSION_DENIED. Before it, five bytes: not compressed, and the length.
    const status = found.some((text) => text.includes(word)) ? [0x0a, 0] : [0x0a, 2, 0x08, 7];
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.from([0, 0, 0, 0, status.length, ...status]));
  });
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
process.stdin.on("end", () => process.exit()).resume();
