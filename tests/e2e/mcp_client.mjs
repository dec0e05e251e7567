// A client on npm `@modelcontextprotocol/client`, or on `@modelcontextprotocol/sdk` before it: `URL MODE`, where MODE is
// "auto", "legacy" or "sdk". It knows the address of a server and nothing else: it finds the issuer from the 401, logs in,
// calls tools, and steps up where it is told to. `PACKAGES` names the folder with node_modules. Prints what came of it, as JSON.

import { join } from "node:path";
import { pathToFileURL } from "node:url";

const packages = join(process.env.PACKAGES, "node_modules/@modelcontextprotocol");
const load = (file) => import(pathToFileURL(join(packages, file)).href);
const [address, mode] = process.argv.slice(2);
const sdk = mode === "sdk";
const { Client } = await load(sdk ? "sdk/dist/esm/client/index.js" : "client/dist/index.mjs");
const { StreamableHTTPClientTransport } = await load(sdk ? "sdk/dist/esm/client/streamableHttp.js" : "client/dist/index.mjs");

const url = new URL(address);
const BACK = "http://127.0.0.1:1/back";
const told = { scopes: [], calls: [] };
const jar = new Map();
let tokens;
let verifier;
let page;
let discovered;

const provider = {
  redirectUrl: BACK,
  clientMetadata: { client_name: "test", redirect_uris: [BACK], grant_types: ["authorization_code"] },
  clientInformation: () => ({ client_id: "mcp" }),
  tokens: () => tokens,
  saveTokens(saved) {
    tokens = saved;
    told.scopes.push(saved.scope);
  },
  saveCodeVerifier: (saved) => (verifier = saved),
  codeVerifier: () => verifier,
  discoveryState: () => discovered,
  saveDiscoveryState: (saved) => (discovered = saved),
  redirectToAuthorization: (authorization) => (page = authorization),
};

/** Sends what a browser would, and keeps the cookies. */
async function visit(at, form) {
  const answer = await fetch(at, {
    method: form ? "POST" : "GET",
    body: form && new URLSearchParams(form),
    headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; ") },
    redirect: "manual",
  });
  for (const cookie of answer.headers.getSetCookie()) {
    const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/);
    if (value) jar.set(name, value);
    else jar.delete(name);
  }
  return { location: answer.headers.get("location"), text: await answer.text() };
}

/** Follows the pages of the provider until they lead back to the client. */
async function logIn() {
  let at = page;
  let form;
  for (let step = 0; step < 20; step += 1) {
    const { location, text } = await visit(at, form);
    form = undefined;
    if (location) {
      at = new URL(location, at);
      if (at.href.startsWith(BACK)) return at.searchParams;
    } else {
      at = new URL(text.match(/action="([^"]+)"/)[1].replaceAll("&amp;", "&"), at);
      form = { prompt: text.match(/name="prompt" value="([^"]+)"/)[1], login: "alice", password: "x" };
    }
  }
  throw new Error("the login leads nowhere");
}

async function connect() {
  const transport = new StreamableHTTPClientTransport(url, { authProvider: provider });
  const client = new Client({ name: "test", version: "1" }, sdk ? {} : { versionNegotiation: { mode } });
  return client.connect(transport).then(
    () => ({ client, transport }),
    (error) => ({ error, transport }),
  );
}

async function finish(transport) {
  const answer = await logIn();
  await transport.finishAuth(answer.get("code"), answer.get("iss"));
}

const first = await connect();
if (first.error?.constructor.name !== "UnauthorizedError") throw first.error ?? new Error("there was no 401");
await finish(first.transport);
const { client, transport, error } = await connect();
if (error) throw error;
told.tools = (await client.listTools()).tools.map(({ name }) => name);

async function call(name, parameters) {
  try {
    return [name, (await client.callTool({ name, arguments: parameters })).content[0].text];
  } catch (error) {
    return [name, error.constructor.name, error.message];
  }
}

told.calls.push(await call("get_weather", { city: "Rome" }));
told.calls.push(await call("debug_heap", {}));
// Refused for want of a scope: the client has the page where its user grants it, and tries again after that.
const [, refused] = await call("delete_user", { name: "bob" });
if (refused !== "UnauthorizedError") throw new Error(`the client does not ask for more: ${refused}`);
// One that tries again before that gets the same challenge, and version 1 does not ask its user twice.
if (sdk) [, , told.again] = await call("delete_user", { name: "bob" });
await finish(transport);
told.calls.push(await call("delete_user", { name: "bob" }));
told.calls.push(await call("get_weather", { city: "Oslo" }));
console.log(JSON.stringify(told));
await client.close();
