"""Replies from any server that speaks OpenAI's chat completions."""

from collections.abc import Collection
from typing import Any

import httpx

from langchain_segmind.gateway.backends._base import Backend, BackendError, model_parameters
from langchain_segmind.gateway.replies import Completion, parse_entry
from langchain_segmind.gateway.request import Request, parse_json

_EXCERPT = 200
_READ_TIMEOUT = 300.0


class ProxyBackend(Backend):
    """Passes requests on to `{upstream}/chat/completions`.

    Args:
        upstream: Base URL of the server, such as `http://127.0.0.1:11434/v1`.
        model: Model to ask for; None asks for the slug of the request.
        api_key: Key of the server, sent as `Authorization: Bearer`; it appears in no
            log and in no error.
        extra_body_keys: Top-level keys to pass on beside the usual parameters.

    Raises:
        ValueError: The URL holds credentials, or the key what no header can carry.
    """

    def __init__(
        self,
        upstream: str,
        *,
        model: str | None = None,
        api_key: str | None = None,
        extra_body_keys: Collection[str] = (),
    ) -> None:
        if not upstream.startswith(("http://", "https://")):
            raise ValueError(
                f"upstream must be a URL such as http://127.0.0.1:11434/v1, not {upstream}"
            )
        if "@" in upstream:
            raise ValueError("upstream may not hold credentials; pass upstream_api_key instead")
        api_key = (api_key or "").strip()  # a key from a file ends with a line feed
        if not (api_key.isascii() and (api_key.isprintable() or not api_key)):
            raise ValueError("upstream_api_key holds a character that no header can carry")
        self._url = f"{upstream.rstrip('/')}/chat/completions"
        self._model = model
        self._api_key = api_key
        self._extra_body_keys = frozenset(extra_body_keys)
        # One context for all clients: loading the trust store is the slow part.
        self._tls = httpx.create_ssl_context() if upstream.startswith("https:") else False

    async def reply(self, request: Request) -> Completion:
        """Pass a request on."""
        payload = {
            **model_parameters(request, self._extra_body_keys),
            "model": self._model or request.slug,
        }
        headers = {"authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        # A client of its own for each request stays clear of event loops and leaks.
        try:
            timeout = httpx.Timeout(_READ_TIMEOUT, connect=5.0)
            async with httpx.AsyncClient(verify=self._tls, timeout=timeout) as client:
                response = await client.post(self._url, json=payload, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            text = f"The upstream server failed: {type(error).__name__}: {error}"
            raise BackendError(self._mask(text)) from error
        if response.status_code != httpx.codes.OK:
            text = f"The upstream server answered {response.status_code}: {response.text}"
            raise BackendError(self._mask(text)[:_EXCERPT])
        return _read(response.content)

    def _mask(self, text: str) -> str:
        return text.replace(self._api_key, "***") if self._api_key else text


def _read(body: bytes) -> Completion:
    try:
        reply: Any = parse_json(body)
        choice = reply["choices"][0]
        entry = {
            "content": choice["message"]["content"],
            "finish_reason": choice.get("finish_reason") or "stop",
            "usage": reply.get("usage"),
            "model": reply.get("model"),
        }
        answer = parse_entry(entry).answer
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BackendError("The upstream server sent no chat completion") from error
    if not isinstance(answer, Completion):  # pragma: no cover - an entry with content is one
        raise TypeError
    return answer
