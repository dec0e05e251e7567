"""A client on PyPI `mcp`: `URL MODE`. It knows the address of a server and nothing else: it finds the issuer from the 401,
logs in, calls tools, and steps up where it is told to. Prints what came of it, as JSON."""

import asyncio
import html
import http.cookiejar
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

import httpx2
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata

url, mode = sys.argv[1:]
BACK = "http://127.0.0.1:1/back"
told = {"scopes": [], "calls": []}
answer = {}


class Memory(TokenStorage):
    tokens = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens
        told["scopes"].append(tokens.scope)

    async def get_client_info(self):
        return OAuthClientInformationFull(client_id="mcp", redirect_uris=[BACK], token_endpoint_auth_method="none")

    async def set_client_info(self, info):
        pass


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
opener = urllib.request.build_opener(NoRedirects, jar)


def visit(address, form):
    data = urllib.parse.urlencode(form).encode() if form else None
    try:
        with opener.open(urllib.request.Request(address, data=data)) as page:
            return None, page.read().decode()
    except urllib.error.HTTPError as error:
        return error.headers.get("location"), error.read().decode()


def log_in(address):
    """Follows the pages of the provider until they lead back to the client."""
    form = None
    for _ in range(20):
        location, page = visit(address, form)
        form = None
        if location is None:
            action = html.unescape(re.search(r'action="([^"]+)"', page).group(1))
            prompt = re.search(r'name="prompt" value="([^"]+)"', page).group(1)
            address, form = urllib.parse.urljoin(address, action), {"prompt": prompt, "login": "alice", "password": "x"}
            continue
        address = urllib.parse.urljoin(address, location)
        if address.startswith(BACK):
            query = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(address).query))
            answer.update(code=query["code"], state=query["state"], iss=query.get("iss"))
            return
    raise SystemExit("the login leads nowhere")


async def redirect(address):
    await asyncio.to_thread(log_in, address)


async def callback():
    return AuthorizationCodeResult(**answer)


async def main():
    metadata = OAuthClientMetadata(
        client_name="test", redirect_uris=[BACK], grant_types=["authorization_code", "refresh_token"]
    )
    auth = OAuthClientProvider(url, metadata, Memory(), redirect, callback)
    async with httpx2.AsyncClient(auth=auth) as transport:
        async with Client(streamable_http_client(url, http_client=transport), mode=mode) as client:
            told["tools"] = [tool.name for tool in (await client.list_tools()).tools]
            for tool, arguments in [
                ("get_weather", {"city": "Rome"}),
                ("debug_heap", {}),
                ("delete_user", {"name": "bob"}),
                ("get_weather", {"city": "Oslo"}),
            ]:
                try:
                    result = await client.call_tool(tool, arguments)
                    told["calls"].append([tool, result.content[0].text])
                except Exception as error:
                    told["calls"].append([tool, type(error).__name__, str(error)])
    print(json.dumps(told))


asyncio.run(main())
