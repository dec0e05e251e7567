// An OpenID issuer for trying things out: access tokens (RFC 9068) by client credentials, for the client `demo` with the
// secret `demo-secret`. Its signing key is made at start and never leaves this process.

import { exportJWK, generateKeyPair } from "jose";
import { Provider } from "oidc-provider";

const issuer = process.env.ISSUER ?? "http://127.0.0.1:10002";
const audience = process.env.AUDIENCE ?? "https://api.example.com";
const port = Number(process.env.PORT ?? 10002);
const scope = "orders:read orders:write reports:read admin";

const { privateKey } = await generateKeyPair("ES256", { extractable: true });
const key = { ...(await exportJWK(privateKey)), kid: `demo-${Date.now()}`, use: "sig", alg: "ES256" };

const provider = new Provider(issuer, {
  jwks: { keys: [key] },
  clients: [
    {
      client_id: "demo",
      client_secret: "demo-secret",
      id_token_signed_response_alg: "ES256",
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
      defaultResource: () => audience,
      useGrantedResource: () => true,
      getResourceServerInfo: (_context, resource) => ({
        scope,
        audience: resource,
        accessTokenTTL: 300,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "ES256" } },
      }),
    },
  },
});
provider.listen(port);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
