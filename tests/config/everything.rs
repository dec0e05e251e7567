//! A configuration with every field in it.

use super::KEY;

/// A configuration with every field in it.
pub fn everything() -> String {
    format!(
        "issuers:
- issuer: https://a/
  name: a
  audiences: [b, c]
  audience_claims: [client_id, aud]
  jwks: {{uri: 'https://a:8443/k?x=1', cluster: a, refresh: 5m, timeout: 500ms, max_stale: 12h, unknown_kid_interval: 1m}}
  algorithms: [RS256, ES256, EdDSA]
  token_types: [at+jwt, JWT, missing]
  id_tokens: false
  leeway: 30s
  max_lifetime: 1h
  required_claims: [sub, [realm_access, roles]]
  scope_claims: [scope, [realm_access, roles]]
  implies: {{admin: [write], 'a:b/c': [admin, x]}}
  status_list: {{clusters: [{{uri_prefix: 'https://a/s/', cluster: a}}], refresh: 1m, timeout: 1s, max_bytes: 65536, max_stale: 10m, when_stale: allow, max_lists: 4}}
- {{issuer: https://d/, audiences: [b], jwks: {{discovery: {{cluster: d, jwks_cluster: k}}}}}}
- {{issuer: https://i/, audiences: [b], sender_constraint: required, token_header: {{name: x-token, prefix: 'Token '}}, websocket_protocol: true, introspection: {{uri: 'https://i/introspect', cluster: i, client_id: gate, secret: {{env: KEY_20}}, prefix: ory_at_, cache: 10s, timeout: 500ms, token_types: [access_token]}}, jwks: {{inline: {{keys: [{KEY}]}}}}}}
resources:
- {{resource: 'https://mcp.example.com/mcp', authorization_servers: [a], scopes_supported: [mcp:basic], audiences: [b]}}
credentials:
- name: partners
  api_key: [{{header: x-api-key}}, {{scheme: Bearer, prefix: sk-}}]
  scopes: [orders:list]
  identities:
  - {{id: acme-1, subject: acme, secrets: [{{sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}}, {{env: KEY_20, expires: 1800000000}}], scopes: [orders:read], claims: {{tenant: acme, plan: [gold, {{level: 3}}]}}, expires: 1900000000}}
  - {{id: gone, secrets: [{{sha256: 60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752}}], disabled: true}}
- {{name: web, cookie: {{name: __Host-token, origins: ['https://a']}}}}
- name: workloads
  mtls: {{}}
  identities:
  - {{id: orders, secrets: [{{uri: 'spiffe://example.com/orders'}}, {{dns: orders.example.com, expires: 1900000000}}]}}
- name: machines
  aksk: {{form: sigv4, regions: [eu-west-1], services: [orders, s3], signed_headers: [content-type, x-amz-content-sha256], max_age: 10m, max_ahead: 30s, replay: all}}
  identities:
  - {{id: batch, secrets: [{{key_id: AKIDEXAMPLE, env: SIGNING, expires: 1900000000}}]}}
- name: banks
  signature: {{components: ['@method', '@target-uri', date], tag: gate, nonce: optional, max_age: 1m, max_ahead: 5s, replay: none}}
  identities:
  - {{id: bank-1, secrets: [{{jwk: {KEY}}}]}}
- name: customers
  api_key: {{header: x-customer-key}}
  identities: {{uri: 'https://ids/customers.json', cluster: ids, signed_by: {{keys: [{KEY}]}}, refresh: 5s, timeout: 1s, max_bytes: 65536, max_stale: 5m}}
- name: staff
  basic: {{}}
  htpasswd: 'ann:$2y$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK'
  identities:
  - {{id: bob, secrets: [{{bcrypt: '$2b$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a', expires: 1800000000}}, {{pbkdf2: '$pbkdf2-sha256$6400$.6UI/S.nXIk8jcbdHx3Fhg$98jZicV16ODfEsEZeYPGHU3kbrUrvUEXOPimVSQDD44'}}, {{sha256: '1111111111111111111111111111111111111111111111111111111111111111'}}]}}
  - {{id: job, secrets: [{{env: NONCES}}]}}
default: {{scopes: [], single_use: true, reuse: {{max_clients: 2}}}}
rules:
- {{match: {{prefix: /k}}, credentials: {{any_of: [bearer, {{all_of: [partners]}}]}}}}
- {{match: {{path: /healthz}}, public: true}}
- match: {{path_separated_prefix: /orders, ignore_case: true, methods: [GET], host: '*.example.com', route: r, virtual_host: v}}
  scopes: {{any_of: [admin, {{all_of: [ops, oncall]}}]}}
  claims: [{{claim: tenant, equals: acme}}, {{claim: [realm_access, roles], contains: admin}}, {{claim: plan, one_of: [gold, 3, true]}}, {{claim: groups, contains_any: [a, 2]}}, {{claim: roles, has_member: admin}}, {{claim: [roles, '[]', names], has_any_member: [a, b]}}, {{claim: t, equals_host: '*.a'}}]
  resource: https://mcp.example.com/mcp
  issuers: [a]
  audiences: [b]
  token_types: [at+jwt]
  max_lifetime: 10m
  max_token_age: 5m
  sender_constraint: dpop
  allow_missing: true
  report_only: true
  jwt_allowed_in: [request]
  methods: {{POST: {{deny: true}}}}
- {{match: {{template: '/a/{{id}}/**'}}, claims: [{{claim: t, equals_path: id}}]}}
- {{match: {{prefix: /p}}, acr_values: [phr, 'urn:x:silver'], max_auth_age: 5m, close_streams: revocation, csrf: {{origins: ['https://a', 'http://b:8080']}}}}
- match: {{prefix: /mcp}}
  mcp:
    tools: {{default: {{deny: true}}, rules: [{{tool: 'a*', scopes: [a], claims: [{{claim: c, equals: 1}}], issuers: [a], max_token_age: 1m, acr_values: [phr], max_auth_age: 5m}}, {{tool: [b, c], deny: true}}]}}
    prompts: {{default: {{scopes: [a]}}, rules: [{{prompt: a}}]}}
    resources: {{rules: [{{uri: 'file:///*'}}]}}
    methods: {{rules: [{{method: logging/setLevel, deny: true}}]}}
    lists: granted
    session: {{keys: [{{env: NONCES}}]}}
    origins: ['https://a']
    hosts: [a.example.com]
    versions: ['2025-11-25', '2026-07-28']
    hold_headers: true
    body_bytes: 1000
route_metadata: restrict
shared_keys: never
reuse: {{window: 5m, max_clients: 4, client: {{ipv4_prefix: 32, ipv6_prefix: 64, user_agent: false, tls: false}}, action: challenge, exempt: [10.0.0.0/8, '::1']}}
replay: {{entries: 1000, service: {{cluster: r, form: upstash, secret: {{env: NONCES}}, timeout: 1s, uri: 'https://r/', authorization: {{env: NONCES}}}}}}
query_tokens: {{names: [sid], jwt_allowed_in: [id_token_hint]}}
seal: true
dpop: {{origins: ['https://a', 'https://b:8443/svc'], algorithms: [ES256, EdDSA], max_age: 30s, max_ahead: 5s, nonce: {{secret: {{env: NONCES}}, lifetime: 1m}}, replay: service}}
mtls: {{forwarded: {{header: client-cert, from: ['spiffe://example.com/front', 'spiffe://example.com/other']}}}}
forward: {{by: filter, token: keep, headers: {{x-auth-subject: sub, x-auth-scope: scope, x-roles: [realm_access, roles]}}, remove: [x-forwarded-user]}}
challenge: {{realm: my api}}
bypass_cors_preflight: true
paths: {{allow: [encoded_slash, semicolon]}}
report_only: false
crypto: host
cache: {{entries: 100, bytes: 65536}}
revocation:
  entries:
  - {{iss: https://a/, jti: x, until: 1800000000, reason: stolen}}
  - {{fingerprint: FvdA9cRn0Ls45XKidPuQiq}}
  - {{iss: https://a/, sub: x, issued_before: 1800000000}}
  - {{iss: https://i/, sid: x}}
  - {{iss: https://i/, client_id: x, issued_before: 1800000000}}
  - {{iss: https://a/, kid: x}}
  - {{credential: partners, id: gone}}
  lists:
  - {{name: main, uri: https://a/l, cluster: a, refresh: 5s, timeout: 1s, max_bytes: 33554432, max_stale: 5m, when_stale: allow, signed_by: {{keys: [{KEY}]}}}}
events:
  path: /.well-known/scopegate/events
  issuers: {{a: {{audience: [gate, other], token_types: [secevent+jwt, JWT, missing], allow_missing_exp: true, revokes: user, keep: 2h, poll: {{uri: 'https://a/poll', cluster: a, authorization: {{env: NONCES}}, interval: 10s, timeout: 1s}}}}}}
  operators: {{ops: {{audience: gate, keep: 1h, signed_by: {{keys: [{KEY}]}}}}}}
  max_bytes: 4096
limits: {{token_bytes: 4096, jwks_bytes: 65536, jwks_keys: 10, waiting_requests: 0, denial_logs_per_second: 0, wasm_crypto_percent: 100, reuse_pairs: 1000, signed_body_bytes: 4096, body_timeout: 5s, open_streams: 5, open_streams_when_full: unwatched, event_entries: 1000, events_per_second: 5}}
audit: {{subject: hash, salt: {{env: NONCES}}, filter_state: denials, record: object, fields: [reason, time], log: all, log_sample: 10}}
"
    )
}
