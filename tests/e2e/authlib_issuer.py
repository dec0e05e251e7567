"""An issuer on authlib: client credentials, opaque tokens with introspection (RFC 7662) and revocation (RFC 7009), and JWT
access tokens (RFC 9068) for the client `jwt`. It prints its address, and ends when its standard input is closed."""

import os
import sys
import threading
import time

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask
from joserfc.jwk import ECKey, KeySet
from werkzeug.serving import WSGIRequestHandler, make_server

AUDIENCE = os.environ["AUDIENCE"]
# The gate, with a secret that has to be encoded; an application; and one that gets JWTs.
SECRETS = {"gate": "a:b/c%+&", "app": "app-secret", "jwt": "jwt-secret"}


class Client(ClientMixin):
    def __init__(self, client_id):
        self.client_id = client_id

    def get_client_id(self):
        return self.client_id

    def get_allowed_scope(self, scope):
        return scope or ""

    def check_client_secret(self, client_secret):
        return client_secret == SECRETS[self.client_id]

    def check_endpoint_auth_method(self, method, endpoint):
        return method == "client_secret_basic"

    def check_grant_type(self, grant_type):
        return grant_type == "client_credentials" and self.client_id != "gate"


class Token(TokenMixin):
    def __init__(self, client, token):
        self.client, self.scope = client, token["scope"]
        self.issued_at, self.expires_in, self.revoked = int(time.time()), token["expires_in"], False

    def check_client(self, client):
        return client.client_id == self.client.client_id

    def is_expired(self):
        return self.issued_at + self.expires_in <= time.time()

    def is_revoked(self):
        return self.revoked


tokens = {}


class Introspection(IntrospectionEndpoint):
    CLIENT_AUTH_METHODS = ["client_secret_basic"]

    def query_token(self, token_string, token_type_hint):
        return tokens.get(token_string)

    def check_permission(self, token, client, request):
        return client.client_id == "gate"

    def introspect_token(self, token):
        return {
            "token_type": "Bearer", "client_id": token.client.client_id, "sub": token.client.client_id, "scope": token.scope,
            "aud": AUDIENCE, "iss": issuer, "iat": token.issued_at, "exp": token.issued_at + token.expires_in,
        }


class Revocation(RevocationEndpoint):
    CLIENT_AUTH_METHODS = ["client_secret_basic"]

    def query_token(self, token_string, token_type_hint):
        return tokens.get(token_string)

    def revoke_token(self, token, request):
        token.revoked = True


keys = KeySet([ECKey.generate_key("P-256", {"kid": "a", "alg": "ES256", "use": "sig"}, auto_kid=False)])


class Jwt(JWTBearerTokenGenerator):
    def get_jwks(self):
        return keys

    def get_audiences(self, client, user, scope):
        return AUDIENCE


def generate(client, grant_type, user=None, scope=None, expires_in=None, include_refresh_token=True):
    of_client = jwt if client.client_id == "jwt" else opaque
    return of_client(grant_type, client, user=user, scope=scope, expires_in=expires_in, include_refresh_token=False)


def save_token(token, request):
    tokens[token["access_token"]] = Token(request.client, token)


app = Flask(__name__)
server = AuthorizationServer(app, lambda client_id: Client(client_id) if client_id in SECRETS else None, save_token)
opaque = server.create_bearer_token_generator(app.config)
server.register_token_generator("default", lambda grant_type, client, **more: generate(client, grant_type, **more))
server.register_grant(ClientCredentialsGrant)
server.register_endpoint(Introspection)
server.register_endpoint(Revocation)


@app.post("/token")
def token():
    return server.create_token_response()


@app.post("/introspect")
def introspect():
    return server.create_endpoint_response(Introspection.ENDPOINT_NAME)


@app.post("/revoke")
def revoke():
    return server.create_endpoint_response(Revocation.ENDPOINT_NAME)


@app.get("/jwks")
def jwks():
    return keys.as_dict(private=False)


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_):
        pass


listening = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
issuer = f"http://127.0.0.1:{listening.port}"
jwt = Jwt(issuer, alg="ES256")
threading.Thread(target=listening.serve_forever, daemon=True).start()
print(issuer, flush=True)
sys.stdin.read()
