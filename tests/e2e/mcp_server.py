"""An MCP server on PyPI `mcp`: `PORT`. Prints its address when it listens, then a line for each call that it executes."""

import os
import sys
import threading

from mcp.server import MCPServer

server = MCPServer("demo", log_level="ERROR")


@server.tool()
def get_weather(city: str) -> str:
    print("executed get_weather", flush=True)
    return f"sunny in {city}"


@server.tool()
def delete_user(name: str) -> str:
    print("executed delete_user", flush=True)
    return f"deleted {name}"


@server.tool()
def debug_heap() -> str:
    print("executed debug_heap", flush=True)
    return "heap"


def end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
port = int(sys.argv[1])
print(f"http://127.0.0.1:{port}", flush=True)
server.run("streamable-http", port=port)
