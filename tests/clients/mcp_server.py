"""A server of the Model Context Protocol on standard input and output, for test_mcp."""

import base64
import sys

from mcp.server.fastmcp import FastMCP, Image

PNG = base64.b64decode(sys.argv[1])

server = FastMCP("tools")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def divide(a: float, b: float) -> float:
    """Divide two numbers."""
    return a / b


@server.tool(structured_output=False)
def draw(title: str) -> list[str | Image]:
    """Draw a picture."""
    return [f"A picture of {title}.", Image(data=PNG, format="png")]


server.run("stdio")
