"""A local gateway that speaks Segmind's HTTP interface, for work without a key.

`python -m langchain_segmind.gateway` serves it; `Gateway` runs it inside a test, on a
free loopback port; `create_app` is the ASGI application alone. Replies come from a
script, from a small local model or from any OpenAI-compatible server. The library
itself never imports this package.

```
__main__ -> cli -> server -> app -> service -> contract, faults, ledger, rate_limit,
                                               replies, backends -> request, pricing
```
"""

try:
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError as error:
    raise ImportError(
        "The local gateway needs starlette and uvicorn: pip install 'langchain-segmind[gateway]'"
    ) from error

from langchain_segmind.gateway.app import create_app
from langchain_segmind.gateway.backends import Backend, BackendError
from langchain_segmind.gateway.options import Options
from langchain_segmind.gateway.replies import Completion
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
