// Drives a headless Chromium by its DevTools protocol. `CHROMIUM` is the program.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Starts a browser with a page, and hands over what can be done with it. */
export async function open(...options) {
  const profile = mkdtempSync(join(tmpdir(), "browser-"));
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", `--user-data-dir=${profile}`];
  const child = spawn(process.env.CHROMIUM, [...flags, ...options, "about:blank"], { stdio: ["ignore", "ignore", "pipe"] });
  const address = await new Promise((resolve, reject) => {
    let text = "";
    child.stderr.on("data", (data) => {
      text += data;
      const found = text.match(/DevTools listening on (ws:\S+)/);
      if (found) resolve(found[1]);
    });
    child.on("exit", () => reject(new Error(text)));
  });
  const pages = await (await fetch(`http://${new URL(address).host}/json/list`)).json();
  const socket = new WebSocket(pages.find((page) => page.type === "page").webSocketDebuggerUrl);
  await new Promise((resolve) => socket.addEventListener("open", resolve));
  const waiting = new Map();
  const events = [];
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(data);
    if (message.id) waiting.get(message.id)(message);
    for (const event of [...events]) event(message);
  });
  let last = 0;
  const call = (method, params = {}) =>
    new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, ({ result, error }) => (error ? reject(new Error(JSON.stringify(error))) : resolve(result)));
      socket.send(JSON.stringify({ id: last, method, params }));
    });
  const happens = (name) =>
    new Promise((resolve) => {
      const event = (message) => {
        if (message.method !== name) return;
        events.splice(events.indexOf(event), 1);
        resolve(message.params);
      };
      events.push(event);
    });
  await call("Page.enable");
  return {
    /** Runs an expression in the page, which may be a promise, and returns its value. */
    async evaluate(expression) {
      const { result, exceptionDetails } = await call("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
      if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
      return result.value;
    },
    /** Does something that leads to another page, and waits for it. */
    async leads(action) {
      const loaded = happens("Page.loadEventFired");
      await action();
      await loaded;
    },
    /** Opens an address. */
    async visit(url) {
      await this.leads(() => call("Page.navigate", { url }));
    },
    /** Shows the page as someone sees it who prefers a colour scheme, on a `screen` or in `print`. */
    async prefers(scheme, media) {
      await call("Emulation.setEmulatedMedia", { media, features: [{ name: "prefers-color-scheme", value: scheme }] });
    },
    /** Gives the window a size. */
    async resize(width, height) {
      await call("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
    },
    /** Ends the browser with all its processes. */
    async close() {
      const gone = new Promise((resolve) => child.on("exit", resolve));
      // Whether it answers before it ends is not certain.
      void call("Browser.close");
      await gone;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
