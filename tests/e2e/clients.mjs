// Real clients for tests: npm `openid-client` and `oauth4webapi` get tokens of an OpenID provider and call an API with
// them, over TLS. `PACKAGES` names the folder with node_modules; `WORLD` says where they find what, as JSON. Prints what each
// got, one line of JSON for each: its name, and what was answered in turn.

import { request } from "node:https";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const load = (path) => import(pathToFileURL(join(process.env.PACKAGES, "node_modules", path)).href);
const openid = await load("openid-client/build/index.js");
const oauth = await load("oauth4webapi/build/index.js");

const world = JSON.parse(process.env.WORLD);
const [clientId, secret, api] = ["demo", "demo-secret", new URL("https://api.example.com/orders?x=1")];
const wanted = { scope: "orders:read", resource: "https://es.example.com" };

/** A fetch that shows this certificate, finds the API at the gate, and writes down what was answered. */
const fetching =
  (answers, certificate = {}) =>
  (url, { method, headers, body }) =>
    new Promise((resolve, reject) => {
      const { hostname, port, pathname, search } = new URL(url);
      const where = hostname === api.hostname ? { port: world.gate, servername: hostname } : { port };
      const options = {
        ...where,
        host: "127.0.0.1",
        path: pathname + search,
        method,
        headers: { ...Object.fromEntries(new Headers(headers)), host: new URL(url).host },
        ca: world.trusted,
        agent: false,
        ...certificate,
      };
      const sent = request(options, async (answer) => {
        const chunks = await answer.toArray();
        const lines = new Headers();
        for (let at = 0; at < answer.rawHeaders.length; at += 2) {
          lines.append(answer.rawHeaders[at], answer.rawHeaders[at + 1]);
        }
        const response = new Response(Buffer.concat(chunks), { status: answer.statusCode, headers: lines });
        const challenge = lines.get("www-authenticate") ?? "";
        const error = /error="(\w+)"/.exec(challenge)?.[1] ?? (await response.clone().json().catch(() => ({}))).error;
        answers.push([pathname, response.status, ...(error ? [error] : [])].join(" "));
        resolve(response);
      });
      sent.on("error", reject);
      sent.end(body === undefined || body === null ? undefined : body.toString());
    });

/** Runs one client, and says what it got. */
const run = async (name, client) => {
  const answers = [];
  let subjects = [];
  try {
    subjects = await client(answers);
  } catch (error) {
    answers.push(error.code ?? String(error));
  }
  console.log(JSON.stringify({ name, answers, subjects }));
};

/** Who the upstream is told that the caller is. */
const subject = async (response) => {
  const { headers } = await response.json();
  return headers?.find(([name]) => name === "x-auth-client")?.[1];
};

const discover = async (client, answers, certificate) => {
  const config = await openid.discovery(new URL(world.issuer), client, secret, openid.ClientSecretBasic(secret), {
    [openid.customFetch]: fetching(answers, certificate),
  });
  config[openid.customFetch] = fetching(answers, certificate);
  answers.length = 0;
  return config;
};

for (const algorithm of ["ES256", "Ed25519", "RS256", "PS256"]) {
  await run(`openid-client ${algorithm}`, async (answers) => {
    const config = await discover(clientId, answers);
    const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair(algorithm));
    const { access_token: token } = await openid.clientCredentialsGrant(config, wanted, { DPoP });
    const call = (method) =>
      openid.fetchProtectedResource(config, token, api, method, undefined, undefined, { DPoP }).then(subject);
    return [await call("GET"), await call("GET"), await call("PUT")];
  });
}

await run("oauth4webapi ES256", async (answers) => {
  const options = { [oauth.customFetch]: fetching(answers) };
  const found = await oauth.discoveryRequest(new URL(world.issuer), options);
  const server = await oauth.processDiscoveryResponse(new URL(world.issuer), found);
  answers.length = 0;
  const client = { client_id: clientId };
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
  const authentication = oauth.ClientSecretBasic(secret);
  const ask = async () => {
    const parameters = new URLSearchParams(wanted);
    const answer = await oauth.clientCredentialsGrantRequest(server, client, authentication, parameters, { ...options, DPoP });
    return oauth.processClientCredentialsResponse(server, client, answer);
  };
  const again = (asked) => (error) => {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return asked();
  };
  const { access_token: token } = await ask().catch(again(ask));
  const call = () => oauth.protectedResourceRequest(token, "GET", api, undefined, undefined, { ...options, DPoP });
  return [await subject(await call().catch(again(call))), await subject(await call())];
});

// The gate learns of an opaque token to which key it is bound.
await run("openid-client, opaque", async (answers) => {
  const config = await discover(clientId, answers);
  const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair());
  const opaque = { ...wanted, resource: "https://opaque.example.com" };
  const { access_token: token } = await openid.clientCredentialsGrant(config, opaque, { DPoP });
  const call = (proof) => openid.fetchProtectedResource(config, token, api, "GET", undefined, undefined, proof).then(subject);
  const subjects = [await call({ DPoP }), await call({ DPoP })];
  const stolen = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair());
  await call({ DPoP: stolen }).catch((error) => answers.push(error.code));
  return subjects;
});

// The token is stolen, and not the key.
await run("a thief with a key", async (answers) => {
  const config = await discover(clientId, answers);
  const [DPoP, stolen] = [
    openid.getDPoPHandle(config, await openid.randomDPoPKeyPair()),
    openid.getDPoPHandle(config, await openid.randomDPoPKeyPair()),
  ];
  const { access_token: token } = await openid.clientCredentialsGrant(config, wanted, { DPoP });
  answers.length = 0;
  await openid.fetchProtectedResource(config, token, api, "GET", undefined, undefined, { DPoP: stolen });
});
await run("a thief without one", async (answers) => {
  const config = await discover(clientId, answers);
  const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair());
  const { access_token: token } = await openid.clientCredentialsGrant(config, wanted, { DPoP });
  answers.length = 0;
  await openid.fetchProtectedResource(config, token, api, "GET");
});

const [own, other] = world.certificates;
for (const [name, shown] of [
  ["its certificate", own],
  ["another certificate", other],
  ["no certificate", undefined],
]) {
  await run(name, async (answers) => {
    const config = await discover("certified", answers, own);
    const { access_token: token } = await openid.clientCredentialsGrant(config, wanted);
    config[openid.customFetch] = fetching(answers, shown);
    return [await openid.fetchProtectedResource(config, token, api, "GET").then(subject)];
  });
}
