"""Clients that sign what they send, before a gate: `signed_client.py GATE KEY_ID SECRET COUNT`. It prints what each was
answered, as JSON: the status, and what the gate said. COUNT requests are made at random, signed by botocore, and sent as
they are and with one byte changed."""

import base64
import datetime
import hashlib
import http.client
import json
import random
import sys
import urllib.parse

from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver, algorithms

gate, key_id, secret, count = sys.argv[1:]
host = urllib.parse.urlsplit(gate).netloc
REGION = "eu-west-1"


def connection():
    return http.client.HTTPConnection(host, timeout=20)


def send(request, changed=None, over=None):
    """Sends a request of botocore, with these parts changed."""
    parts = {
        "method": request.method, "target": request.url[len(gate):], "headers": dict(request.headers.items()),
        "body": request.body or b"",
    }
    parts.update(changed or {})
    body = parts["body"].encode() if isinstance(parts["body"], str) else parts["body"]
    over = over or connection()
    over.putrequest(parts["method"], parts["target"], skip_host=True, skip_accept_encoding=True)
    headers = {"Host": host, **parts["headers"]}
    if body or parts["method"] in ("POST", "PUT"):
        headers["Content-Length"] = str(len(body))
    for name, value in headers.items():
        over.putheader(name, value)
    over.endheaders(body or None)
    response = over.getresponse()
    text = response.read()
    detail = None
    if response.status != 200:
        detail = json.loads(text).get("detail") if text.startswith(b"{") else text.decode("latin-1")
    seen = dict(json.loads(text)["headers"]) if text and response.status == 200 else None
    return {"status": response.status, "detail": detail, "seen": seen}


def signed(method, target, body=b"", service="orders", headers=None, token=None):
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    request = AWSRequest(method, gate + target, data=body, headers=headers or {})
    own = secret + "-s3" if service == "s3" else secret
    signer(Credentials(key_id, own, token), service, REGION).add_auth(request)
    return request.prepare()


JSON = {"Content-Type": "application/json"}
said = {
    "get": send(signed("GET", "/orders/1?a=0&a=1&b=2")),
    "get with escapes": send(signed("GET", "/orders/a%20b/%C3%A9?q=a%20b&empty=&flag")),
    "post": send(signed("POST", "/orders", b'{"qty":2}', headers=JSON)),
    "post with a session token": send(signed("POST", "/orders", b"{}", token="session")),
    "put of 300 KB": send(signed("PUT", "/orders/2", b"x" * 300_000)),
    "head": send(signed("HEAD", "/orders")),
    "s3 get": send(signed("GET", "/s3/a%20b/%C3%A9?list-type=2&prefix=a%20b", service="s3")),
    "s3 put of 5 MB": send(signed("PUT", "/s3/large", random.randbytes(5_000_000), service="s3")),
}
again = signed("POST", "/orders", b"again")
said["once"], said["twice"] = send(again), send(again)
said["another body"] = send(signed("POST", "/orders", b"one"), {"body": b"two"})
said["s3 with another body"] = send(signed("PUT", "/s3/large", b"x" * 100_000, service="s3"), {"body": b"x" * 99_999 + b"y"})
said["too large a body"] = send(signed("PUT", "/orders/2", b"x" * 1_048_577))
link = AWSRequest("GET", gate + "/orders")
SigV4QueryAuth(Credentials(key_id, secret), "orders", REGION).add_auth(link)
said["a signed link"] = send(link.prepare())
said["another service"] = send(signed("GET", "/orders", service="billing"))
said["an unknown key"] = send(signed("GET", "/orders"), {"headers": {
    name: value.replace(key_id, "AKIDNOBODY") for name, value in signed("GET", "/orders").headers.items()
}})
unsigned = signed("GET", "/orders")
said["an unsigned x-amz header"] = send(unsigned, {"headers": {**dict(unsigned.headers.items()), "x-amz-cf-id": "abc"}})


class Keys(HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id):
        return (secret + "-bank").encode()

    resolve_private_key = resolve_public_key


class Message:
    """What the signer wants of a request."""

    def __init__(self, method, target, body=b""):
        self.method, self.url, self.body, self.headers = method, gate + target, body, {}
        if body:
            self.headers["Content-Digest"] = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def message(method, target, body=b"", covered=("@method", "@authority", "@path", "@query"), **more):
    request = Message(method, target, body)
    if body:
        covered = (*covered, "content-digest")
    signer = HTTPMessageSigner(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Keys())
    more.setdefault("created", datetime.datetime.now())
    more.setdefault("nonce", base64.b64encode(random.randbytes(12)).decode())
    signer.sign(
        request, key_id="partner", covered_component_ids=covered, label="sig1", use_existing_digest=bool(body), **more
    )
    return request


said["message"] = send(message("GET", "/messages?a=1&b=2"))
said["message with a body"] = send(message("POST", "/messages?a=1", b'{"qty":2}'))
said["message of 3 MB"] = send(message("PUT", "/messages", random.randbytes(3_000_000)))
said["message with another body"] = send(message("POST", "/messages", b'{"qty":2}'), {"body": b'{"qty":3}'})
nonce = message("GET", "/messages", nonce="the-same")
said["message once"], said["message twice"] = send(nonce), send(message("GET", "/messages", nonce="the-same"))
said["message of the library's default"] = send(message("GET", "/messages", covered=("@method", "@authority", "@target-uri")))
said["message without a nonce"] = send(message("GET", "/messages", nonce=None))
long_ago = datetime.datetime.now() - datetime.timedelta(minutes=10)
said["message of ten minutes ago"] = send(message("GET", "/messages", created=long_ago))

# Requests at random.
seed = random.randrange(2**32)
dice = random.Random(seed)
UNRESERVED = "abcXYZ019-_.~"


def word(most, letters=UNRESERVED + " é/&=+%?#:@!$'()*,;<>"):
    return "".join(dice.choice(letters) for _ in range(dice.randint(1, most)))


def made():
    service = dice.choice(["orders", "orders", "s3"])
    # What a rule could read in two ways is refused whoever sends it.
    segments = [urllib.parse.quote(word(8, UNRESERVED.replace(".", "") + " é&=+:@!$'()*,"), safe="") for _ in range(dice.randint(1, 3))]
    path = "/" + "/".join((["s3"] if service == "s3" else ["o"]) + segments)
    query = sorted((urllib.parse.quote(word(5), safe=""), urllib.parse.quote(word(6), safe="")) for _ in range(dice.randint(0, 4)))
    target = path + ("?" + "&".join(f"{name}={value}" for name, value in query) if query else "")
    method = dice.choice(["GET", "POST", "PUT", "DELETE", "PATCH"])
    body = dice.randbytes(dice.randint(0, 400)) if method in ("POST", "PUT", "PATCH") else b""
    headers = {f"x-{dice.choice('abc')}{number}": word(12, UNRESERVED + ":,;=") for number in range(dice.randint(0, 3))}
    return signed(method, target, body, service, headers)


def with_one_byte_changed(request):
    target, headers, body = request.url[len(gate):], dict(request.headers.items()), request.body or b""
    body = body.encode() if isinstance(body, str) else body
    names = [name for name in headers if any(map(str.isalnum, headers[name])) and name.lower() != "content-length"]
    what = dice.choice(["target", "header", "method"] + (["body"] if body else []))
    if what == "body":
        at = dice.randrange(len(body))
        return what, {"body": body[:at] + bytes([body[at] ^ dice.randint(1, 255)]) + body[at + 1:]}
    if what == "method":
        return what, {"method": dice.choice([method for method in ("GET", "POST", "PUT", "DELETE", "PATCH") if method != request.method])}
    text = target if what == "target" else headers[name := dice.choice(names)]
    places = [at for at, letter in enumerate(text) if letter.isalnum() and not (what == "target" and at == 0)]
    at = dice.choice(places)
    changed = text[:at] + dice.choice([letter for letter in "abcdefXYZ012345" if letter != text[at]]) + text[at + 1:]
    return what, {"target": changed} if what == "target" else {"headers": {**headers, name: changed}}


refused, passed = [], []
over = connection()
for _ in range(int(count)):
    request = made()
    answer = send(request, over=over)
    if answer["status"] != 200:
        refused.append([request.method, request.url, answer["detail"]])
        over = connection()
    request = made()
    what, changed = with_one_byte_changed(request)
    # A connection on which a request was refused may be closed before its body.
    answer = send(request, changed)
    if answer["status"] == 200:
        passed.append([what, request.method, request.url, str(changed)])
said["at random"] = {"seed": seed, "refused": refused, "passed": passed}
print(json.dumps(said))
