// A rate limit service for tests: `LIMIT`. Prints its address, then a line for each list of descriptors that it is asked for: the
// texts in it. It allows each list so often, and says that it is over the limit then.

import { createServer } from "node:http2";

const limit = Number(process.argv[2]);
const counts = new Map();

/** The printable texts of a message, without the bytes between them that may be printable too. */
const texts = (message) => message.toString("latin1").match(/[\w:.-]{3,}/g) ?? [];

const server = createServer();
server.on("stream", (stream) => {
  const chunks = [];
  stream.on("data", (chunk) => chunks.push(chunk));
  stream.on("end", () => {
    const message = Buffer.concat(chunks).subarray(5);
    const key = message.toString("base64");
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    console.log(texts(message).join(" "));
    // `RateLimitResponse.overall_code`: OK is 1, OVER_LIMIT is 2. Before it, five bytes: not compressed, and the length.
    const body = Buffer.from([0, 0, 0, 0, 2, 0x08, count > limit ? 2 : 1]);
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(body);
  });
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
process.stdin.on("end", () => process.exit()).resume();
