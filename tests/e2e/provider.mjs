// An OpenID provider for tests: npm `oidc-provider`, with access tokens (RFC 9068) by client credentials, signed with the
// algorithm that the resource asks for, and bound to a key (DPoP, with nonces) or to a certificate where the client asks for
// that. For https://opaque.example.com they are opaque, and the client `gate` may ask what they mean (RFC 7662). `PACKAGES`
// names the folder with node_modules; `TLS` has certificate and key in PEM, as JSON, for an address with https. Prints its
// address.
//
// With `LOGIN`, users log in with any name, and access tokens are good for so many seconds. The client `mcp` is a public one; with
// `SCOPES`, these are the scopes that there are.
//
//   POST /test/login?URI  the client `web` may come back to this address
//   POST /test/logout?CLIENT=URI&…  these clients are told at these addresses when a user logs out; of the session, where
//                         the name ends in `-session`, whose access tokens have its `sid`
//   POST /test/publish  new keys are published and used, the old ones stay published
//   POST /test/retire   only the newest keys stay published

import { X509Certificate, generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
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
const scope = process.env.SCOPES ?? "orders:read orders:write";

let generation = 0;
const makeKeys = () => {
  generation += 1;
  return Object.entries(kinds).map(([alg, make]) => {
    const jwk = make().privateKey.export({ format: "jwk" });
    return { ...jwk, kid: `${alg}-${generation}`, use: "sig", alg };
  });
};

const tls = process.env.TLS && JSON.parse(process.env.TLS);
// Any certificate will do: a client does not authenticate with it, its tokens are bound to it.
const server = tls ? createSecureServer({ ...tls, requestCert: true, rejectUnauthorized: false }) : createServer();
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const issuer = `${tls ? "https" : "http"}://127.0.0.1:${server.address().port}`;
const nonceSecret = randomBytes(32);
const client = {
  client_secret: "demo-secret",
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
};

// Where the client of logins may come back to.
let redirect;
const web = () => ({
  client_id: "web",
  client_secret: "demo-secret",
  grant_types: ["authorization_code", "refresh_token"],
  redirect_uris: [redirect],
});

// Clients that are told of logouts, by address.
let told = [];
const listening = ([client_id, backchannel_logout_uri]) => ({
  client_id,
  client_secret: "demo-secret",
  redirect_uris: ["http://127.0.0.1:1/back"],
  backchannel_logout_uri,
  backchannel_logout_session_required: client_id.endsWith("-session"),
});

const mcp = {
  client_id: "mcp",
  application_type: "native",
  token_endpoint_auth_method: "none",
  grant_types: ["authorization_code", "refresh_token"],
  redirect_uris: ["http://127.0.0.1:1/back"],
};

// There is no call that rotates keys: a provider with other keys takes the place of the one before.
const provide = (keys) =>
  new Provider(issuer, {
    jwks: { keys },
    clients: [
      { ...client, client_id: "demo" },
      { ...client, client_id: "certified", tls_client_certificate_bound_access_tokens: true },
      ...(redirect ? [web()] : []),
      ...told.map(listening),
      ...(process.env.LOGIN ? [mcp] : []),
      { ...client, client_id: "gate", client_secret: "a b:c/%+&" },
    ],
    enabledJWA: { dPoPSigningAlgValues: ["ES256", "Ed25519", "EdDSA", "RS256", "PS256"] },
    scopes: ["openid", ...scope.split(" ")],
    // Version 1 of the MCP client refreshes where it should step up, if it can.
    issueRefreshToken: (_context, { clientId }) => clientId !== mcp.client_id,
    extraTokenClaims: (_context, token) => token.sid && { sid: token.sid },
    // Its own dispatcher connects to no address of this machine.
    fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }),
    features: {
      backchannelLogout: { enabled: Boolean(process.env.LOGIN) },
      devInteractions: { enabled: Boolean(process.env.LOGIN) },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      dPoP: { enabled: true, nonceSecret, requireNonce: () => true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        getCertificate: ({ socket }) => {
          const { raw } = socket.getPeerCertificate?.() ?? {};
          return raw && new X509Certificate(raw).toString();
        },
      },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context, resource) => ({
          scope,
          audience: resource,
          accessTokenTTL: Number(process.env.LOGIN ?? 300),
          ...(resource === "https://opaque.example.com"
            ? { accessTokenFormat: "opaque" }
            : { accessTokenFormat: "jwt", jwt: { sign: { alg: algorithmOf[resource] ?? "RS256" } } }),
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
  } else if (request.method === "POST" && request.url.startsWith("/test/login?")) {
    redirect = request.url.slice("/test/login?".length);
    handler = provide(newest);
    response.end();
  } else if (request.method === "POST" && request.url.startsWith("/test/logout?")) {
    told = [...new URL(request.url, issuer).searchParams];
    handler = provide(newest);
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
