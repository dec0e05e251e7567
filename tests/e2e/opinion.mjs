// A second opinion on requests: that of `validateJwtAccessToken` of npm `oauth4webapi`, which judges bound tokens and their
// proofs as a resource server. `PACKAGES` names the folder with node_modules; `WORLD` has the issuer, its keys and the
// audience, as JSON. Reads requests, one line of JSON for each, and says `null` of one that it accepts, else why it does not.

import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const oauth = await import(pathToFileURL(join(process.env.PACKAGES, "node_modules/oauth4webapi/build/index.js")).href);
const { issuer, keys, audience } = JSON.parse(process.env.WORLD);
const server = { issuer, jwks_uri: `${issuer}jwks` };
const options = { [oauth.customFetch]: () => Promise.resolve(Response.json(keys)) };

for await (const line of createInterface({ input: process.stdin })) {
  const { method, url, headers } = JSON.parse(line);
  let why = null;
  try {
    await oauth.validateJwtAccessToken(server, new Request(url, { method, headers }), audience, options);
  } catch (error) {
    why = error.message;
  }
  console.log(JSON.stringify(why));
}
