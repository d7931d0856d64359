"""Replies from any server with OpenAI's chat completions API."""

from collections.abc import Collection

import httpx

from langchain_segmind.gateway.backends import (
    Backend,
    BackendError,
    select_parameters,
)
from langchain_segmind.gateway.completion import Completion
from langchain_segmind.gateway.request import Request, parse_json

_MAX_ERROR_CHARACTERS = 200
_TIMEOUT = httpx.Timeout(300.0, connect=5.0)


class ProxyBackend(Backend):
    """Forwards requests to `{upstream}/chat/completions`.

    The key is sent as `Authorization: Bearer` and appears in no log and no error message.

    Raises:
        ValueError: The URL contains credentials, or the key cannot be sent in a header.
    """

    def __init__(
        self,
        upstream: str,
        model: str | None = None,
        api_key: str | None = None,
        extra_body_keys: Collection[str] = (),
    ) -> None:
        if "@" in upstream:
            raise ValueError("upstream cannot contain credentials; pass upstream_api_key instead")
        if not upstream.startswith(("http://", "https://")):
            raise ValueError(
                f"upstream must be a URL such as http://127.0.0.1:11434/v1, not {upstream}"
            )
        api_key = (api_key or "").strip()  # a key read from a file ends with a newline
        if api_key and not (api_key.isascii() and api_key.isprintable()):
            raise ValueError("upstream_api_key contains a character that a header cannot hold")
        self._url = f"{upstream.rstrip('/')}/chat/completions"
        self._model = model
        self._api_key = api_key
        self._extra_body_keys = extra_body_keys
        # Loading the trust store is slow, so all clients share one context.
        self._tls = httpx.create_ssl_context() if upstream.startswith("https:") else False

    async def reply(self, request: Request) -> Completion:
        """Forward a request."""
        parameters = select_parameters(request, self._extra_body_keys)
        payload = {**parameters, "model": self._model or request.slug}
        headers = {"authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        try:
            # One client per request: none outlives its event loop.
            async with httpx.AsyncClient(verify=self._tls, timeout=_TIMEOUT) as client:
                response = await client.post(self._url, json=payload, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            text = f"The upstream server failed: {type(error).__name__}: {error}"
            raise BackendError(self._mask(text)) from error
        if response.status_code != httpx.codes.OK:
            text = f"The upstream server answered {response.status_code}: {response.text}"
            raise BackendError(self._mask(text)[:_MAX_ERROR_CHARACTERS])
        return _parse_completion(response.content)

    def _mask(self, text: str) -> str:
        return text.replace(self._api_key, "***") if self._api_key else text


def _parse_completion(body: bytes) -> Completion:
    try:
        parsed = parse_json(body)
        choice = parsed["choices"][0]
        message, finish_reason = choice["message"], choice.get("finish_reason") or "stop"
        usage, model = parsed.get("usage") or {}, parsed.get("model")
        reasoning = message.get("reasoning_content") or ""
        return Completion(message["content"], finish_reason, usage, model, reasoning)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BackendError("The upstream server sent no chat completion") from error
