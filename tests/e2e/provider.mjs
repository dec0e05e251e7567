// An OpenID provider for tests: npm `oidc-provider`, with access tokens (RFC 9068) by client credentials, signed with the
// algorithm that the resource asks for. `PACKAGES` names the folder with node_modules. Prints its address.
//
//   POST /test/publish  new keys are published and used, the old ones stay published
//   POST /test/retire   only the newest keys stay published

import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const packages = join(process.env.PACKAGES, "node_modules");
const { Provider } = await import(pathToFileURL(join(packages, "oidc-provider/lib/index.js")).href);

const kinds = {
  RS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  EdDSA: () => generateKeyPairSync("ed25519"),
};
const algorithmOf = {
  "https://rs.example.com": "RS256",
  "https://es.example.com": "ES256",
  "https://ed.example.com": "EdDSA",
};
const scope = "orders:read orders:write";

let generation = 0;
const makeKeys = () => {
  generation += 1;
  return Object.entries(kinds).map(([alg, make]) => {
    const jwk = make().privateKey.export({ format: "jwk" });
    return { ...jwk, kid: `${alg}-${generation}`, use: "sig", alg };
  });
};

const server = createServer();
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

// There is no call that rotates keys: a provider with other keys takes the place of the one before.
const provide = (keys) =>
  new Provider(issuer, {
    jwks: { keys },
    clients: [
      {
        client_id: "demo",
        client_secret: "demo-secret",
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
      },
    ],
    scopes: scope.split(" "),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context, resource) => ({
          scope,
          audience: resource,
          accessTokenTTL: 300,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: algorithmOf[resource] ?? "RS256" } },
        }),
      },
    },
  }).callback();

let newest = makeKeys();
let handler = provide(newest);
server.on("request", (request, response) => {
  if (request.method === "POST" && request.url === "/test/publish") {
    const before = newest;
    newest = makeKeys();
    handler = provide([...newest, ...before]);
    response.end();
  } else if (request.method === "POST" && request.url === "/test/retire") {
    handler = provide(newest);
    response.end();
  } else {
    handler(request, response);
  }
});
console.log(issuer);
// The test that started this ends it by closing its standard input.
process.stdin.on("end", () => process.exit(0)).resume();
