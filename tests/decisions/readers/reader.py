"""Reads messages as a server in Python does: base64url of one in each line, to [method, names, version]."""

import base64
import json
import sys

for line in sys.stdin:
    message = json.loads(base64.urlsafe_b64decode(line.strip() + "=="))
    method = message.get("method")
    params = message.get("params") or {}
    names = []
    if method in ("tools/call", "prompts/get"):
        names = [params["name"]]
    elif method in ("resources/read", "resources/subscribe", "resources/unsubscribe"):
        names = [params["uri"]]
    elif method == "completion/complete":
        names = [params["ref"]["name" if params["ref"]["type"] == "ref/prompt" else "uri"]]
    elif method == "subscriptions/listen":
        names = params.get("notifications", {}).get("resourceSubscriptions", [])
    elif method in ("tasks/get", "tasks/update", "tasks/cancel"):
        names = [params["taskId"]]
    version = (params.get("_meta") or {}).get("io.modelcontextprotocol/protocolVersion")
    print(json.dumps([method, names, version]))
