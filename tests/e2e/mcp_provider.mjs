// An OpenID provider for MCP clients: npm `oidc-provider`, where any user logs in, with access tokens (RFC 9068) for the
// resource that the client names (RFC 8707). `PACKAGES` names the folder with node_modules. Prints its address.

import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const packages = join(process.env.PACKAGES, "node_modules");
const { Provider } = await import(pathToFileURL(join(packages, "oidc-provider/lib/index.js")).href);
const jwk = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
const server = createServer();
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
const scope = "mcp:basic mcp:write";
const provider = new Provider(issuer, {
  jwks: { keys: [{ ...jwk, kid: "a", use: "sig", alg: "ES256" }] },
  clients: [
    {
      client_id: "mcp",
      application_type: "native",
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: ["http://127.0.0.1:1/back"],
    },
  ],
  scopes: ["openid", "offline_access", ...scope.split(" ")],
  clientDefaults: { id_token_signed_response_alg: "ES256" },
  features: {
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
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
server.on("request", provider.callback());
console.log(issuer);
// The test that started this ends it by closing its standard input.
process.stdin.on("end", () => process.exit(0)).resume();
