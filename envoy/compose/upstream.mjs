// An upstream that answers every request with what it received.

import { createServer } from "node:http";

const server = createServer((request, response) => {
  const body = [];
  request.on("data", (part) => body.push(part));
  request.on("end", () => {
    const headers = [];
    for (let at = 0; at < request.rawHeaders.length; at += 2) {
      headers.push([request.rawHeaders[at].toLowerCase(), request.rawHeaders[at + 1]]);
    }
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ method: request.method, target: request.url, headers, body: Buffer.concat(body).toString() }));
  });
});
server.listen(10001);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
