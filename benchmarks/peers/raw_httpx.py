"""The same request with httpx alone, without LangChain."""

from typing import Any

import httpx

LIMITS = httpx.Limits(max_connections=1024, max_keepalive_connections=1024)


class RawHttpx:
    """One POST and its JSON, behind the names of LangChain's methods."""

    def __init__(self, base_url: str) -> None:
        self.url = f"{base_url}/gpt-4-turbo"
        self.headers = {"x-api-key": "fake"}
        self.client: httpx.Client | None = None
        self.async_client: httpx.AsyncClient | None = None

    def invoke(self, question: str) -> dict[str, Any]:
        """Post a question."""
        if self.client is None:
            self.client = httpx.Client(headers=self.headers, limits=LIMITS)
        return self.client.post(self.url, json=create_body(question)).json()

    async def ainvoke(self, question: str) -> dict[str, Any]:
        """Post a question."""
        if self.async_client is None:
            self.async_client = httpx.AsyncClient(
                headers=self.headers, limits=LIMITS, timeout=httpx.Timeout(120, pool=None)
            )
        return (await self.async_client.post(self.url, json=create_body(question))).json()


def create_body(question: str) -> dict[str, Any]:
    """Return the request's body."""
    return {"messages": [{"role": "user", "content": question}]}
