"""Segmind's embedding models as LangChain embeddings."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Self

import httpx
from langchain_core.embeddings import Embeddings
from pydantic import ConfigDict, PrivateAttr, model_validator

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._api.url import create_url
from langchain_segmind._embeddings.batch import Batch, LastVector
from langchain_segmind._embeddings.parameters import EmbeddingParameters
from langchain_segmind._embeddings.request import (
    check_options,
    check_text,
    check_texts,
    create_body,
    get_embedding_model,
)
from langchain_segmind._http import APIRequest, RequestGroup, Sender, get_running_loop
from langchain_segmind._model import SegmindModel
from langchain_segmind.callbacks.handler import track_without_run
from langchain_segmind.data._embedding_models import TaskType

__all__ = ["SegmindEmbeddings"]


class SegmindEmbeddings(SegmindModel, EmbeddingParameters, Embeddings):
    """Segmind's embedding models: `text-embedding-3-small` by default.

    Segmind embeds one text for each request. A call sends up to `max_concurrency` requests at the
    same time, and equal texts of a call once. All arguments are keywords. The enclosing
    `get_segmind_credits_callback` blocks count and limit the requests; each text is a call.

    Source: https://www.segmind.com/models/text-embedding-3-small/api

    Raises:
        TypeError: An argument is unknown; the message names the one that was probably meant.
        ValueError: A value is invalid (pydantic's `ValidationError`), also when a field is
            assigned; or, in a call, something is not a text, or an empty one. No message shows the
            key.
        SegmindError: A call failed. The message begins with the index of the text, as in
            `texts[7]: ...`, and `completed` holds the vectors that arrived, by index.

    Example:
        ```python
        from langchain_segmind import SegmindEmbeddings

        embeddings = SegmindEmbeddings(model="text-embedding-3-small")
        vectors = embeddings.embed_documents(["Tea from Assam", "Coffee from Kenya"])
        print(len(vectors), len(vectors[0]))
        ```
    """

    model_config = ConfigDict(defer_build=False, use_attribute_docstrings=False)

    _parameters = EmbeddingParameters
    _last_vector: LastVector = PrivateAttr(default_factory=LastVector)

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        check_options(self.model, self.dimensions, self.task_type)
        return self

    def embed_documents(self, texts: Iterable[str]) -> list[list[float]]:
        """Return the vectors of texts, in the same order.

        Args:
            texts: The texts, such as a list or a generator. None may be empty.

        Returns:
            A vector for each text, all of the same length.

        Raises:
            ValueError: Something is not a text, or empty; nothing was sent.
            SegmindContextOverflowError: A text is known to exceed the model's limit; nothing was
                sent.
            SegmindResponseError: A reply has no vector, one of another length, or the same vector
                for two different texts.
            SegmindError: Another failure. `completed` holds the vectors that arrived; so it does
                on a `KeyboardInterrupt`.

        Example:
            ```python
            from langchain_segmind import SegmindEmbeddings, SegmindError

            embeddings = SegmindEmbeddings()
            texts = ["Tea from Assam", "Coffee from Kenya"]
            try:
                vectors = embeddings.embed_documents(texts)
            except SegmindError as error:
                rest = [index for index in range(len(texts)) if index not in error.completed]
            ```
        """
        batch = self._create_batch(texts)
        with batch, _show_progress(batch, is_shown=self.show_progress_bar):
            workers = min(self.max_concurrency, batch.size)
            if workers <= 1:
                self._work(batch)
            else:
                self._work_in_threads(batch, workers)
        return batch.get_vectors()

    async def aembed_documents(self, texts: Iterable[str]) -> list[list[float]]:
        """Return the vectors of texts, in the same order; see `embed_documents`.

        Args:
            texts: The texts, such as a list or a generator.

        Raises:
            RuntimeError: No asyncio event loop is running.
            asyncio.CancelledError: The call was cancelled. `completed` holds the vectors that
                arrived; requests on their way are lost, and may be billed.
        """
        get_running_loop()
        batch = self._create_batch(texts)
        with batch, _show_progress(batch, is_shown=self.show_progress_bar):
            workers = min(self.max_concurrency, batch.size)
            if workers <= 1:
                await self._awork(batch)
            else:
                async with asyncio.TaskGroup() as group:
                    for _ in range(workers):
                        group.create_task(self._awork(batch))
        return batch.get_vectors()

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a text that is searched for.

        Args:
            text: The text; it may not be empty.

        Raises:
            ValueError: It is not a text, or empty; nothing was sent.
            SegmindContextOverflowError: It is known to exceed the model's limit; nothing was sent.
            SegmindResponseError: The reply has no vector, or that of the call before, for another
                text.
            SegmindError: Another failure.

        Example:
            ```python
            from langchain_segmind import SegmindEmbeddings

            print(len(SegmindEmbeddings().embed_query("Which tea is green?")))
            ```
        """
        self._check_query(text)
        response = self._send(text, "RETRIEVAL_QUERY", RequestGroup())
        return self._read_query(text, response)

    async def aembed_query(self, text: str) -> list[float]:
        """Return the vector of a text that is searched for; see `embed_query`.

        Args:
            text: The text; it may not be empty.

        Raises:
            RuntimeError: No asyncio event loop is running.
        """
        get_running_loop()
        self._check_query(text)
        response = await self._asend(text, "RETRIEVAL_QUERY", RequestGroup())
        return self._read_query(text, response)

    def _check_query(self, text: str) -> None:
        check_options(self.model, self.dimensions, self.task_type)
        model = get_embedding_model(self.model)
        check_text(text, "The text", model, check_context=self.check_context)

    def _read_query(self, text: str, response: APIResponse) -> list[float]:
        batch = Batch([text], self.dimensions, self._last_vector)
        batch.add(0, response)
        return batch.get_vectors()[0]

    def _create_batch(self, texts: Iterable[str]) -> Batch:
        check_options(self.model, self.dimensions, self.task_type)
        model = get_embedding_model(self.model)
        checked = check_texts(texts, model, check_context=self.check_context)
        return Batch(checked, self.dimensions, self._last_vector)

    def _work_in_threads(self, batch: Batch, workers: int) -> None:
        with batch:
            for _ in range(workers):
                batch.requests.start(partial(self._work, batch), "segmind-embeddings")
            batch.requests.join()
        batch.requests.join()  # after an interrupt: what is on its way is paid

    def _work(self, batch: Batch) -> None:
        """Embed texts of a batch until none is left, or one failed."""
        while (taken := batch.take()) is not None:
            text, index = taken
            try:
                batch.add(index, self._send(text, "RETRIEVAL_DOCUMENT", batch.requests))
            except BaseException as error:  # noqa: BLE001 - `get_vectors` raises it
                batch.fail(error, index)

    async def _awork(self, batch: Batch) -> None:
        """Embed texts of a batch until none is left, or one failed."""
        while (taken := batch.take()) is not None:
            text, index = taken
            try:
                batch.add(index, await self._asend(text, "RETRIEVAL_DOCUMENT", batch.requests))
            except BaseException as error:  # noqa: BLE001 - `get_vectors` raises it
                batch.fail(error, index)

    def _send(self, text: str, task_type: TaskType, group: RequestGroup) -> APIResponse:
        if self.rate_limiter:
            with group.waiting():
                self.rate_limiter.acquire()
        sender = self._create_sender(self.http_client, group)
        return sender.send(self._create_request(text, task_type))

    async def _asend(self, text: str, task_type: TaskType, group: RequestGroup) -> APIResponse:
        if self.rate_limiter:
            async with group.awaiting():
                await self.rate_limiter.aacquire()
        sender = self._create_sender(self.http_async_client, group)
        return await sender.asend(self._create_request(text, task_type))

    def _create_sender(
        self, client: httpx.Client | httpx.AsyncClient | None, group: RequestGroup
    ) -> Sender:
        return Sender(
            api_key=self.segmind_api_key,
            timeout=self.timeout,
            max_retries=self.max_retries,
            retry_read_timeouts=self.retry_read_timeouts,
            client=client,
            rate_limiter=self.rate_limiter,
            observer=track_without_run(self.model),
            group=group,
        )

    def _create_request(self, text: str, task_type: TaskType) -> APIRequest:
        content = create_body(
            text, self.model, dimensions=self.dimensions, task_type=self.task_type or task_type
        )
        return APIRequest(
            method="POST",
            url=create_url(self._base_url, self.model),
            content=content,
            headers=self.default_headers or {},
        )


@contextmanager
def _show_progress(batch: Batch, *, is_shown: bool) -> Iterator[None]:
    """Show a progress bar of a batch in the block.

    Raises:
        ImportError: tqdm is not installed.
    """
    if not is_shown:
        yield
        return
    try:
        from tqdm import tqdm  # noqa: PLC0415 - not a dependency
    except ImportError:
        raise ImportError("show_progress_bar needs tqdm: pip install tqdm") from None
    with tqdm(total=batch.total) as bar:
        batch.on_progress = bar.update
        yield
