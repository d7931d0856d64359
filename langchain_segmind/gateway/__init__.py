"""A local server with Segmind's HTTP API, for development and tests without a key.

`python -m langchain_segmind.gateway` runs it from the command line, `Gateway` runs it inside
a program on a free loopback port, and `create_app` returns the ASGI application alone.
Replies come from a script, a small local model or any OpenAI-compatible server.

```
__main__ -> server -> app -> service -> options -> backends -> contract -> request -> formats
                             service -> faults, ledger, pricing, queue, rate_limit
```
"""

try:
    import starlette  # noqa: F401 - is it installed?
    import uvicorn  # noqa: F401 - is it installed?
except ImportError as error:
    raise ImportError(
        "The local gateway needs starlette and uvicorn: pip install 'langchain-segmind[gateway]'"
    ) from error

from langchain_segmind.gateway.app import create_app
from langchain_segmind.gateway.backends import Backend, BackendError
from langchain_segmind.gateway.completion import Completion
from langchain_segmind.gateway.options import Options
from langchain_segmind.gateway.request import Request
from langchain_segmind.gateway.server import Gateway

__all__ = [
    "Backend",
    "BackendError",
    "Completion",
    "Gateway",
    "Options",
    "Request",
    "create_app",
]
