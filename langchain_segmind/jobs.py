"""Jobs of Segmind's queue: submitted by one call, fetched by another, maybe elsewhere."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage

from langchain_segmind._api.queue import Status, check_request_id, get_queue_base
from langchain_segmind._chat import formats
from langchain_segmind._chat.reask import read_final_reply
from langchain_segmind._chat.refusals import ask_with_format
from langchain_segmind._chat.request import create_request
from langchain_segmind._http import APIRequest, JobRequest, QueueSender
from langchain_segmind._settings.call_settings import CallSettings
from langchain_segmind._tools import convert_tools
from langchain_segmind.callbacks.handler import get_active_handlers, track_without_run
from langchain_segmind.callbacks.tracking import UsageTracker

if TYPE_CHECKING:
    import httpx

    from langchain_segmind.chat_models import ChatSegmind

__all__ = ["SegmindJob"]

KEYS = frozenset({"request_id", "model", "base_url", "arguments"})
"""Keys of a job as JSON; further ones are optional."""

READING_ARGUMENTS = frozenset(
    {
        "calls_in_text",
        "function_call",
        "functions",
        "model",
        "parallel_tool_calls",
        "response_format",
        "stop",
        "strict",
        "tool_choice",
        "tools",
    }
)
"""Arguments of a call that decide how its reply is read: what a job keeps."""


@dataclass(frozen=True)
class SegmindJob:
    """A job of Segmind's queue, whose result can be fetched for about an hour.

    `ChatSegmind.submit` returns one, and `ChatSegmind.get_job` one whose request ID is known. The
    key that submitted the job is needed to fetch it. A job can be pickled, and stored as JSON.

    Attributes:
        request_id: Segmind's id of the job.
        model: The model that fetches it.
        arguments: The call's arguments that decide how the reply is read, such as `tools`, as JSON.
        speakers: The names of the model's messages in the request, where several speak.
        submitted_at: When it was submitted, in seconds since the epoch; None if unknown. For half a
            minute, a job that Segmind does not know counts as queued.

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
    speakers: frozenset[str] = field(default=frozenset(), repr=False)
    submitted_at: float | None = field(default=None, repr=False)

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
            SegmindError: The request failed, or Segmind does not know the job.
        """
        sender = self._create_sender(self._get_settings(), self.model.http_client)
        return sender.get_status(self._request)

    async def astatus(self) -> Status:
        """Return how far the job is; see `status`."""
        sender = self._create_sender(self._get_settings(), self.model.http_async_client)
        return await sender.aget_status(self._request)

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
            SegmindError: The job failed, or Segmind does not know it.
        """
        settings = self._get_settings(timeout)
        sender = self._create_sender(settings, self.model.http_client)
        response = sender.fetch(self._request)
        return read_final_reply(response, settings, formats.decode, self.speakers)

    async def aresult(self, timeout: float | None = None) -> AIMessage:  # noqa: ASYNC109 - as `result`
        """Wait for the job, and return the reply; see `result`.

        Args:
            timeout: Seconds to wait at most.
        """
        settings = self._get_settings(timeout)
        sender = self._create_sender(settings, self.model.http_async_client)
        response = await sender.afetch(self._request)
        return read_final_reply(response, settings, formats.decode, self.speakers)

    @property
    def _request(self) -> JobRequest:
        model = self.model
        base = get_queue_base(model._base_url)
        return JobRequest(self.request_id, base, model.default_headers or {}, self.submitted_at)

    def _get_settings(self, timeout: float | None = None) -> CallSettings:
        own = {"use_queue": True, "output_retries": 0, "timeout": timeout}
        return self.model._get_settings(None, {**self.arguments, **own})

    def _create_sender(
        self, settings: CallSettings, client: "httpx.Client | httpx.AsyncClient | None"
    ) -> QueueSender:
        # No budget is checked: the job was paid for, or will be, whether it is fetched or not.
        tracker = UsageTracker(settings.model, get_active_handlers())
        return cast("QueueSender", self.model._create_sender(settings, tracker, client))

    def to_dict(self) -> dict[str, Any]:
        """Return the job as JSON, without the key, headers and clients of its model."""
        return {
            "request_id": self.request_id,
            "model": self._slug,
            "base_url": self.model._server,
            "arguments": dict(self.arguments),
            "speakers": sorted(self.speakers),
            "submitted_at": self.submitted_at,
        }

    @classmethod
    def from_dict(cls, job: Mapping[str, Any], model: "ChatSegmind") -> Self:
        """Return the job that `to_dict` stored.

        Args:
            job: What `to_dict` returned.
            model: The model that fetches it: the same slug, with a key of the same account.

        Raises:
            ValueError: It is not a job, or one of another model or server: the key is not sent
                there.
            TypeError: One of its arguments is unknown.
        """
        if not is_job(job):
            raise ValueError(
                "This is not a job that to_dict returned: it needs the keys "
                f"{', '.join(sorted(KEYS))}, with values of their types."
            )
        if model._server.rstrip("/") != str(job["base_url"]).rstrip("/"):
            raise ValueError(
                f"The job was submitted to {job['base_url']!r:.200}, but the model's base_url is "
                f"{model._server!r}."
            )
        arguments = convert_arguments(model, job["arguments"])
        speakers = frozenset(job.get("speakers", ()))
        restored = cls(job["request_id"], model, arguments, speakers, job.get("submitted_at"))
        if restored._slug != job["model"]:
            raise ValueError(
                f"The job was submitted to the model {job['model']!r:.200}, but {restored._slug!r} "
                f"would read its reply. Pass ChatSegmind(model={job['model']!r:.200}) to from_dict."
            )
        return restored

    @property
    def _slug(self) -> str:
        return str(self.arguments.get("model", self.model.model))


def is_job(job: object) -> bool:
    """Whether a value has the keys and types of a job that `to_dict` stored."""
    if not (isinstance(job, Mapping) and job.keys() >= KEYS):
        return False
    speakers, submitted_at = job.get("speakers", []), job.get("submitted_at")
    return (
        isinstance(job["arguments"], Mapping)
        and isinstance(speakers, list | tuple)
        and all(isinstance(speaker, str) for speaker in speakers)
        and (submitted_at is None or isinstance(submitted_at, int | float))
    )


def convert_arguments(model: "ChatSegmind", arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a job keeps of a call's arguments, as JSON.

    Raises:
        TypeError: An argument is unknown.
        ValueError: One is invalid, or cannot be written as JSON.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    model._get_settings(None, given)
    if "model_name" in given:
        given["model"] = given.pop("model_name")
    if given.get("tools"):
        given["tools"] = convert_tools(given["tools"], strict=given.get("strict"))
    kept = {name: value for name, value in given.items() if name in READING_ARGUMENTS}
    try:
        return cast("dict[str, Any]", json.loads(json.dumps(kept, allow_nan=False)))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"A job is stored as JSON, but its arguments cannot be: {error}. Pass tools and "
            "schemas that are JSON."
        ) from None


def submit_job(
    model: "ChatSegmind", prompt: LanguageModelInput, arguments: Mapping[str, Any]
) -> SegmindJob:
    """Submit a job; see `ChatSegmind.submit`."""
    request, settings, create_job = _prepare_submission(model, prompt, arguments)
    if model.rate_limiter:
        model.rate_limiter.acquire()
    tracker = track_without_run(settings.model)
    sender = cast("QueueSender", model._create_sender(settings, tracker, model.http_client))
    return create_job(sender.submit(request))


async def asubmit_job(
    model: "ChatSegmind", prompt: LanguageModelInput, arguments: Mapping[str, Any]
) -> SegmindJob:
    """Submit a job; see `ChatSegmind.submit`."""
    request, settings, create_job = _prepare_submission(model, prompt, arguments)
    if model.rate_limiter:
        await model.rate_limiter.aacquire()
    tracker = track_without_run(settings.model)
    sender = cast("QueueSender", model._create_sender(settings, tracker, model.http_async_client))
    return create_job(await sender.asubmit(request))


def _prepare_submission(
    model: "ChatSegmind", prompt: LanguageModelInput, arguments: Mapping[str, Any]
) -> tuple[APIRequest, CallSettings, Callable[[JobRequest], SegmindJob]]:
    """Return what is submitted, its settings, and what creates its job."""
    kept = convert_arguments(model, arguments)
    settings = model._get_settings(None, {**arguments, "use_queue": True})
    request = create_request(model._convert_input(prompt).to_messages(), settings)

    def create_job(job: JobRequest) -> SegmindJob:
        return SegmindJob(job.request_id, model, kept, request.speakers, job.submitted_at)

    # Without a `response_format` that is known to be refused.
    sent = next(ask_with_format(request, model._server))
    return model._encode(sent, settings), settings, create_job
