"""A client on authlib, of an API before which is the gate: `authlib_client.py ISSUER GATE CLIENT SECRET`. It prints what it
was answered, as JSON."""

import json
import os
import sys
import time

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

from authlib.integrations.requests_client import OAuth2Session

issuer, gate, client_id, secret = sys.argv[1:]


def session(scope):
    session = OAuth2Session(client_id, secret, scope=scope, token_endpoint_auth_method="client_secret_basic")
    session.trust_env = False
    session.fetch_token(f"{issuer}/token", grant_type="client_credentials")
    return session


def answer(session, path):
    response = session.get(f"{gate}{path}")
    return {
        "status": response.status_code, "challenge": response.headers.get("www-authenticate"),
        "seen": dict(response.json()["headers"]) if response.status_code == 200 else None,
    }


read, write = session("orders:read"), session("orders:write orders:read")
said = {
    "token": read.token["access_token"],
    "read": answer(read, "/orders"),
    "read where write is asked for": answer(read, "/write"),
    "write": answer(write, "/write"),
}
revoked = read.revoke_token(f"{issuer}/revoke", token=read.token["access_token"], token_type_hint="access_token")
said["revocation"] = revoked.status_code
# What the issuer said is remembered for a second.
deadline = time.time() + 5
while answer(read, "/orders")["status"] == 200 and time.time() < deadline:
    time.sleep(0.1)
said["revoked"] = answer(read, "/orders")
print(json.dumps(said))
