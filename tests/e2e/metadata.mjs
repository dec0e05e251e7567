// A real client for tests: npm `oauth4webapi` knows the address of a resource, and finds its issuer. `PACKAGES` names the
// folder with node_modules; `WORLD` says where the gate is, as JSON. Prints what it learned, as JSON.

import { request } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const oauth = await import(pathToFileURL(join(process.env.PACKAGES, "node_modules/oauth4webapi/build/index.js")).href);
const { gate, resource } = JSON.parse(process.env.WORLD);

/** A fetch that finds every host at the gate. */
const atTheGate = (url, { method, headers }) =>
  new Promise((resolve, reject) => {
    const { host, pathname, search } = new URL(url);
    const options = { host: "127.0.0.1", port: gate, path: pathname + search, method, agent: false };
    const sent = request({ ...options, headers: { ...Object.fromEntries(new Headers(headers)), host } }, async (answer) => {
      const body = Buffer.concat(await answer.toArray());
      const lines = new Headers(Object.entries(answer.headersDistinct).map(([name, values]) => [name, values.join(", ")]));
      resolve(new Response(answer.statusCode === 204 ? null : body, { status: answer.statusCode, headers: lines }));
    });
    sent.on("error", reject);
    sent.end();
  });

const options = { [oauth.customFetch]: atTheGate };
const url = new URL(resource);
const refused = await oauth.protectedResourceRequest("x", "GET", url, undefined, undefined, options).catch((error) => error);
const [challenge] = refused.cause;
const asked = [];
const discovering = { [oauth.customFetch]: (at, init) => (asked.push(String(at)), atTheGate(at, init)) };
const answer = await oauth.resourceDiscoveryRequest(url, discovering);
const metadata = await oauth.processResourceDiscoveryResponse(url, answer);
console.log(JSON.stringify({ challenge: { scheme: challenge.scheme, ...challenge.parameters }, asked, metadata }));
