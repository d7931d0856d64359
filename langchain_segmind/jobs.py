"""Jobs of Segmind's queue: submitted by one call, fetched by another, maybe elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, HumanMessage

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._api.queue import Status, check_request_id, get_queue_base, read_status
from langchain_segmind._chat import formats
from langchain_segmind._chat.reask import Call, get_message, run_call
from langchain_segmind._chat.request import create_request
from langchain_segmind._http import APIRequest, JobRequest, QueueSender
from langchain_segmind._tools import convert_tools
from langchain_segmind.callbacks.handler import track_without_run

if TYPE_CHECKING:
    import httpx

    from langchain_segmind.chat_models import ChatSegmind

__all__ = ["SegmindJob"]

KEYS = frozenset({"request_id", "base_url", "arguments"})
"""Keys of a job as JSON."""


@dataclass(frozen=True)
class SegmindJob:
    """A job of Segmind's queue, whose result can be fetched for about an hour.

    `ChatSegmind.submit` returns one, and `ChatSegmind.get_job` one whose request ID is known. The
    key that submitted the job is needed to fetch it. A job can be pickled, and stored as JSON.

    Attributes:
        request_id: Segmind's id of the job.
        model: The model that fetches it.
        arguments: The call's arguments that decide how the reply is read, such as `tools`.

    Source: https://docs.segmind.com/docs/serverless-api (asynchronous requests)

    Example:
        ```python
        from langchain_segmind import ChatSegmind, SegmindJob

        model = ChatSegmind(model="gpt-5")
        job = model.submit("Name a prime number above 100.")
        stored = job.to_dict()  # JSON, for a database or another process
        print(SegmindJob.from_dict(stored, model).result(timeout=300).text)
        ```
    """

    request_id: str
    model: "ChatSegmind" = field(repr=False)
    arguments: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Check the id, which becomes a part of a URL.

        Raises:
            ValueError: It is not one.
        """
        check_request_id(self.request_id)

    def __hash__(self) -> int:
        """Return the hash of its id: a model has none."""
        return hash(self.request_id)

    def status(self) -> Status:
        """Return how far the job is. It costs nothing.

        Returns:
            `"queued"`, `"processing"`, `"completed"` or `"failed"`.

        Raises:
            SegmindError: The request failed, or the job is not known (any more).
        """
        sender, _ = self._prepare({}, self.model.http_client)
        return read_status(sender.ask(self._request))

    async def astatus(self) -> Status:
        """Return how far the job is; see `status`."""
        sender, _ = self._prepare({}, self.model.http_async_client)
        return read_status(await sender.aask(self._request))

    def result(self, timeout: float | None = None) -> AIMessage:
        """Wait for the job, and return the reply. It costs nothing, and can be repeated.

        The model is not asked again if the reply cannot be used: that would be another job.

        Args:
            timeout: Seconds to wait at most. Defaults to the model's `timeout`, or to 600 if that
                is not set.

        Returns:
            The reply, with the calls of the job's tools.

        Raises:
            SegmindTimeoutError: The job is not done in time. It still runs.
            SegmindOutputError: The reply lacks a call or JSON that was required.
            SegmindError: The job failed, or is not known (any more).
        """
        sender, call = self._prepare({"timeout": timeout}, self.model.http_client)
        return _finish(call, sender.follow(self._request))

    async def aresult(self, timeout: float | None = None) -> AIMessage:  # noqa: ASYNC109 - as `result`
        """Wait for the job, and return the reply; see `result`.

        Args:
            timeout: Seconds to wait at most.
        """
        sender, call = self._prepare({"timeout": timeout}, self.model.http_async_client)
        return _finish(call, await sender.afollow(self._request))

    @property
    def _request(self) -> JobRequest:
        model = self.model
        base = get_queue_base(model._base_url)
        return JobRequest(self.request_id, base, model.default_headers or {})

    def _prepare(
        self, arguments: Mapping[str, Any], client: "httpx.Client | httpx.AsyncClient | None"
    ) -> tuple[QueueSender, Call]:
        """Return what fetches the job, and what reads its reply."""
        fixed = {"use_queue": True, "output_retries": 0, "native_response_format": False}
        settings = self.model._get_settings(None, {**self.arguments, **fixed, **arguments})
        # The request was sent before: what matters here is how its response is read.
        call = run_call([HumanMessage("-")], settings, formats.decode, self.model._server)
        next(call)
        tracker = track_without_run(settings.model, is_paid=True)
        return cast("QueueSender", self.model._create_sender(settings, tracker, client)), call

    def to_dict(self) -> dict[str, Any]:
        """Return the job as JSON, without the key, headers and clients of its model."""
        return {
            "request_id": self.request_id,
            "model": self.model.model,
            "base_url": self.model._server,
            "arguments": dict(self.arguments),
        }

    @classmethod
    def from_dict(cls, job: Mapping[str, Any], model: "ChatSegmind") -> Self:
        """Return the job that `to_dict` stored.

        Args:
            job: What `to_dict` returned.
            model: The model that fetches it, with a key of the same account.

        Raises:
            ValueError: It is not a job, or one of another server: the key is not sent there.
        """
        is_job = isinstance(job, Mapping) and job.keys() >= KEYS
        if not is_job or not isinstance(job["arguments"], Mapping):
            raise ValueError(f"This is not a job: it needs the keys {', '.join(sorted(KEYS))}.")
        if model._server.rstrip("/") != str(job["base_url"]).rstrip("/"):
            raise ValueError(
                f"The job was submitted to {job['base_url']!r:.200}, but the model's base_url is "
                f"{model._server!r}."
            )
        return cls(job["request_id"], model, convert_arguments(model, job["arguments"]))


def convert_arguments(model: "ChatSegmind", arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call's arguments with the tools as JSON.

    Raises:
        ValueError: One is invalid.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    model._get_settings(None, given)
    if given.get("tools"):
        given["tools"] = convert_tools(given["tools"], strict=given.get("strict"))
    return given


def submit_job(
    model: "ChatSegmind", prompt: LanguageModelInput, arguments: Mapping[str, Any]
) -> SegmindJob:
    """Submit a job; see `ChatSegmind.submit`."""
    if model.rate_limiter:
        model.rate_limiter.acquire()
    given = convert_arguments(model, arguments)
    sender, request = _prepare_submission(model, prompt, given, model.http_client)
    return SegmindJob(sender.submit(request).request_id, model, given)


async def asubmit_job(
    model: "ChatSegmind", prompt: LanguageModelInput, arguments: Mapping[str, Any]
) -> SegmindJob:
    """Submit a job; see `ChatSegmind.submit`."""
    if model.rate_limiter:
        await model.rate_limiter.aacquire()
    given = convert_arguments(model, arguments)
    sender, request = _prepare_submission(model, prompt, given, model.http_async_client)
    return SegmindJob((await sender.asubmit(request)).request_id, model, given)


def _prepare_submission(
    model: "ChatSegmind",
    prompt: LanguageModelInput,
    arguments: Mapping[str, Any],
    client: "httpx.Client | httpx.AsyncClient | None",
) -> tuple[QueueSender, APIRequest]:
    settings = model._get_settings(None, {**arguments, "use_queue": True})
    request = create_request(model._convert_input(prompt).to_messages(), settings)
    tracker = track_without_run(settings.model)
    sender = cast("QueueSender", model._create_sender(settings, tracker, client))
    return sender, model._encode(request, settings)


def _finish(call: Call, response: APIResponse) -> AIMessage:
    """Return the message of a call that asks for nothing more."""
    try:
        call.send(response)
    except StopIteration as end:
        return get_message(end.value)
    raise AssertionError("a job is not asked again")
