// A user of an OpenID provider: `ISSUER CLIENT…`. Logs in for each client in one session, as a browser does. Prints an access
// token of each, as JSON. Then, at each line of its standard input: `login` does so again in a new session, `logout` logs out at the
// provider.

import { createHash, randomBytes } from "node:crypto";
import { createInterface } from "node:readline";

const BACK = "http://127.0.0.1:1/back";
const RESOURCE = "https://rs.example.com";
const [issuer, ...clients] = process.argv.slice(2);
const jar = new Map();
let hint;

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

const member = (text, name) => text.match(new RegExp(`name="${name}" value="([^"]+)"`))[1];
const action = (text, at) => new URL(text.match(/action="([^"]+)"/)[1].replaceAll("&amp;", "&"), at);

/** Follows the pages of the provider until they lead back to the client, and returns an access token. */
async function token(client) {
  const verifier = randomBytes(32).toString("base64url");
  let at = new URL("/auth", issuer);
  at.search = new URLSearchParams({
    client_id: client,
    response_type: "code",
    redirect_uri: BACK,
    scope: "openid orders:read",
    resource: RESOURCE,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  });
  let form;
  for (let step = 0; step < 20 && !at.href.startsWith(BACK); step += 1) {
    const { location, text } = await visit(at, form);
    form = undefined;
    if (location) {
      at = new URL(location, at);
    } else {
      at = action(text, at);
      form = { prompt: member(text, "prompt"), login: "alice", password: "x" };
    }
  }
  const code = at.searchParams.get("code");
  if (!code) throw new Error(`the login leads to ${at}`);
  const answer = await fetch(new URL("/token", issuer), {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`${client}:demo-secret`)}` },
    body: new URLSearchParams({ grant_type: "authorization_code", code, redirect_uri: BACK, code_verifier: verifier }),
  });
  const { access_token, id_token } = await answer.json();
  hint = id_token;
  return access_token;
}

async function logIn() {
  const tokens = {};
  for (const client of clients) tokens[client] = await token(client);
  console.log(JSON.stringify(tokens));
}

/** The provider has told all clients once it answers. */
async function logOut() {
  const page = new URL(`/session/end?id_token_hint=${hint}`, issuer);
  const { text } = await visit(page);
  await visit(action(text, page), { xsrf: member(text, "xsrf"), logout: "yes" });
  console.log("{}");
}

await logIn();
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "logout") {
    await logOut();
  } else {
    jar.clear();
    await logIn();
  }
}
process.exit();
