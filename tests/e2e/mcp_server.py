"""An MCP server on PyPI `mcp`: `PORT`. Prints its address when it listens, then a line for each call that it executes. What is
named test is what npm `@modelcontextprotocol/conformance` looks for."""

import os
import sys
import threading
from typing import Annotated

from mcp.server import MCPServer
from mcp.server.mcpserver import Audio, Context, Image, UserMessage
from mcp.types import Completion, EmbeddedResource, SamplingMessage, TextContent, TextResourceContents
from pydantic import BaseModel, Field

server = MCPServer("demo")
EMBEDDED = EmbeddedResource(
    type="resource", resource=TextResourceContents(uri="test://embedded", mime_type="text/plain", text="a resource")
)
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef"
    "0000000049454e44ae426082"
)


@server.tool(description="The weather of a city")
def get_weather(city: str) -> str:
    print("executed get_weather", flush=True)
    return f"sunny in {city}"


@server.tool(description="Deletes a user")
def delete_user(name: str) -> str:
    print("executed delete_user", flush=True)
    return f"deleted {name}"


@server.tool(description="What is on the heap")
def debug_heap() -> str:
    print("executed debug_heap", flush=True)
    return "heap"


@server.tool(description="A text")
def test_simple_text() -> list[TextContent]:
    return [TextContent(type="text", text="This is a simple text response for testing.")]


@server.tool(description="An image", structured_output=False)
def test_image_content() -> Image:
    return Image(data=PIXEL, format="png")


@server.tool(description="A sound", structured_output=False)
def test_audio_content() -> Audio:
    return Audio(data=b"RIFF", format="wav")


@server.tool(description="A resource", structured_output=False)
def test_embedded_resource() -> list:
    return [EMBEDDED]


@server.tool(description="A text, an image and a resource", structured_output=False)
def test_multiple_content_types() -> list:
    return ["several", Image(data=PIXEL, format="png"), EMBEDDED]


@server.tool(description="Fails")
def test_error_handling() -> str:
    raise ValueError("This tool intentionally returns an error for testing")


@server.tool(description="Tells how far it is")
async def test_tool_with_progress(context: Context) -> str:
    for done in [0, 50, 100]:
        await context.report_progress(done, 100)
    return "done"


class User(BaseModel):
    username: str
    email: str


@server.tool(description="Asks the user")
async def test_elicitation(message: str, context: Context) -> str:
    return str(await context.elicit(message, User))


@server.tool(description="Asks the model of the client")
async def test_sampling(prompt: str, context: Context) -> str:
    asked = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    return str(await context.session.create_message([asked], max_tokens=100))


@server.tool(description="Has an argument that clients mirror in a header")
def mirrored(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
    return region


@server.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    return "This is the content of the static text resource."


@server.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    return PIXEL


@server.resource("test://template/{id}/data", mime_type="application/json")
def template(id: str) -> str:
    return f'{{"id": "{id}", "data": "Data for ID: {id}"}}'


@server.prompt(description="A prompt")
def test_simple_prompt() -> str:
    return "This is a simple prompt for testing."


@server.prompt(description="A prompt with two arguments")
def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@server.prompt(description="A prompt with a resource")
def test_prompt_with_embedded_resource(resourceUri: str) -> list:
    resource = TextResourceContents(uri=resourceUri, mime_type="text/plain", text="a resource")
    return [UserMessage(EmbeddedResource(type="resource", resource=resource)), "What does it say?"]


@server.prompt(description="A prompt with an image")
def test_prompt_with_image() -> list:
    return [UserMessage(Image(data=PIXEL, format="png").to_image_content()), "What is it?"]


@server.completion()
async def complete(reference, argument, context) -> Completion:
    return Completion(values=["one", "two"])


def end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
port = int(sys.argv[1])
print(f"http://127.0.0.1:{port}", flush=True)
server.run("streamable-http", port=port)
