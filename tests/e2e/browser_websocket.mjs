// Opens a WebSocket in a headless Chromium: `URL PROTOCOL...`. Prints what it was told, and the subprotocol that was
// selected, or that it failed.

import { open } from "./browser.mjs";

const [url, ...protocols] = process.argv.slice(2);
const browser = await open();
const told = await browser.evaluate(`new Promise((resolve) => {
  const socket = new WebSocket(${JSON.stringify(url)}, ${JSON.stringify(protocols)});
  socket.onmessage = ({ data }) => resolve({ selected: socket.protocol, headers: JSON.parse(data) });
  socket.onerror = () => resolve({ failed: true });
})`);
console.log(JSON.stringify(told));
await browser.close();
process.exit();
