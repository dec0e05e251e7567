// A WebSocket server and clients of it, of npm `ws` and of Node's `http2`. `PACKAGES` names the folder with node_modules.
//
//   serve                   prints its address; tells each client the headers of its handshake, and selects the first
//                           subprotocol that is offered; ends when its standard input is closed
//   http1 URL PROTOCOL...   prints what it was told, and the subprotocol that was selected, or the status of a refusal
//   http2 URL PROTOCOL...   the same by an extended CONNECT (RFC 8441)

import { connect } from "node:http2";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [mode, url, ...protocols] = process.argv.slice(2);
const packages = join(process.env.PACKAGES, "node_modules");
const { WebSocket, WebSocketServer } = await import(pathToFileURL(join(packages, "ws/wrapper.mjs")).href);
const tell = (told) => console.log(JSON.stringify(told));

const modes = {
  serve() {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    server.on("connection", (socket, request) => socket.send(JSON.stringify(request.headers)));
    server.on("listening", () => console.log(`http://127.0.0.1:${server.address().port}`));
    process.stdin.resume().on("end", () => process.exit());
  },
  http1() {
    const socket = new WebSocket(url, protocols);
    socket.on("message", (data) => {
      tell({ selected: socket.protocol, headers: JSON.parse(data) });
      socket.close();
    });
    socket.on("unexpected-response", (_, answer) => {
      tell({ status: answer.statusCode });
      process.exit();
    });
  },
  http2() {
    const session = connect(url.replace("ws:", "http:"));
    session.on("remoteSettings", () => {
      const stream = session.request({
        ":method": "CONNECT",
        ":protocol": "websocket",
        ":scheme": "http",
        ":path": new URL(url).pathname,
        ":authority": new URL(url).host,
        "sec-websocket-version": "13",
        // HTTP/2 needs none, and Envoy makes none for an upstream that speaks HTTP/1.1.
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-protocol": protocols.join(", "),
      });
      let selected;
      stream.on("response", (headers) => {
        selected = headers["sec-websocket-protocol"];
        if (headers[":status"] !== 200) {
          tell({ status: headers[":status"] });
          session.destroy();
        }
      });
      let frame = Buffer.alloc(0);
      stream.on("data", (data) => {
        frame = Buffer.concat([frame, data]);
        // A text frame of 126 to 65535 bytes, not masked (RFC 6455 section 5.2).
        if (frame.length < 4 || frame.length < 4 + frame.readUInt16BE(2)) return;
        tell({ selected, headers: JSON.parse(frame.subarray(4, 4 + frame.readUInt16BE(2))) });
        session.destroy();
      });
    });
  },
};
modes[mode]();
