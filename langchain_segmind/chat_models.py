"""Segmind's language models as LangChain chat models."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, cast, overload

import httpx
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.globals import get_llm_cache
from langchain_core.language_models import (
    BaseChatModel,
    LangSmithParams,
    LanguageModelInput,
    ModelProfile,
)
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, Generation
from langchain_core.runnables import (
    Runnable,
    RunnableBinding,
    RunnableConfig,
    RunnableSerializable,
)
from langchain_core.runnables.utils import AnyConfigurableField
from langchain_core.tools import BaseTool
from pydantic import ConfigDict, Field, model_validator

from langchain_segmind._api.api_key import hide_api_key
from langchain_segmind._api.endpoint import API_KEY_ENV, PROVIDER
from langchain_segmind._api.queue import get_queue_base
from langchain_segmind._api.tokens import count_tokens, encode
from langchain_segmind._api.url import create_url
from langchain_segmind._chat import formats
from langchain_segmind._chat.context import check_context, count_image_tokens, count_turn_tokens
from langchain_segmind._chat.reask import run_call
from langchain_segmind._chat.request import ChatRequest, create_request, explain_image_urls
from langchain_segmind._chat.response import (
    combine_outputs,
    convert_result_to_chunks,
    copy_cached_message,
    remove_response_facts,
)
from langchain_segmind._http import (
    APIRequest,
    QueueSender,
    Sender,
    get_running_loop,
)
from langchain_segmind._model import KEY_NAMES, OTHER_NAMES, SegmindModel
from langchain_segmind._output.structured_output import (
    Answer,
    AnyTool,
    OutputMethod,
    OutputOptions,
    RawAnswer,
    create_parser,
    create_requirement,
    create_structured_output,
    create_tracing_format,
)
from langchain_segmind._settings.arguments import Slug
from langchain_segmind._settings.call_settings import (
    CallSettings,
    check_call_arguments,
    create_call_settings,
)
from langchain_segmind._settings.parameters import BodyParameters, ModelParameters
from langchain_segmind._tools import convert_tools, create_toolset, parse_tool_choice
from langchain_segmind._version import __version__
from langchain_segmind.callbacks.tracking import (
    UsageTracker,
    begin_call,
    ending_run,
    start_tracking,
)
from langchain_segmind.data._profiles import find_model
from langchain_segmind.exceptions import SegmindInvalidRequestError
from langchain_segmind.jobs import SegmindJob, asubmit_job, convert_arguments, submit_job

if TYPE_CHECKING:
    # Private, and for type checkers only: it knows the streams of a chat model.
    from langchain_core.language_models.chat_models import _ChatModelBinding as ModelBinding
else:
    ModelBinding = RunnableBinding[LanguageModelInput, AIMessage]


class SegmindBinding(ModelBinding):  # type: ignore[no-redef] # as in core: its field `kwargs`
    """A model with arguments bound by `bind` or `bind_tools`, which jobs get too."""

    @classmethod
    def lc_id(cls) -> list[str]:
        """Return the id of the class that it is stored as."""
        return [*cls.get_lc_namespace(), "RunnableBinding"]

    def submit(self, prompt: LanguageModelInput, **kwargs: Any) -> SegmindJob:
        """Submit a job with the bound arguments; see `ChatSegmind.submit`.

        Args:
            prompt: The messages, as for `invoke`.
            kwargs: Further arguments of the call.
        """
        return cast("ChatSegmind", self.bound).submit(prompt, **{**self.kwargs, **kwargs})

    async def asubmit(self, prompt: LanguageModelInput, **kwargs: Any) -> SegmindJob:
        """Submit a job with the bound arguments; see `ChatSegmind.submit`.

        Args:
            prompt: The messages, as for `invoke`.
            kwargs: Further arguments of the call.
        """
        return await cast("ChatSegmind", self.bound).asubmit(prompt, **{**self.kwargs, **kwargs})

    def get_job(self, request_id: str) -> SegmindJob:
        """Return a job that was submitted with the bound arguments; see `ChatSegmind.get_job`.

        Args:
            request_id: Segmind's id of the job.
        """
        return cast("ChatSegmind", self.bound).get_job(request_id, **self.kwargs)


class ChatSegmind(SegmindModel, ModelParameters, BaseChatModel):
    """Any of Segmind's language models, chosen by its slug.

    Requests have the JSON format of the model: OpenAI's, Anthropic's for Claude, or Google's for
    Gemini (`api_format`). All arguments are keywords. Segmind documents little beside the
    messages: what is not set is not sent, and what is set is forwarded by Segmind unchanged.
    Requests to Gemini have no place for `temperature`, `max_tokens`, `top_p` and `seed`, and those
    to Claude none for `seed`: they are not sent, which a warning says once.

    Source: https://www.segmind.com/models

    Raises:
        TypeError: An argument is unknown, here or in a call; the message names the one that was
            probably meant. Or there is no model.
        ValueError: A value is invalid (pydantic's `ValidationError`), also when a field is
            assigned. Or, in a call, a message cannot be sent. No message shows the key.
        SegmindError: A call failed; `langchain_segmind.exceptions` lists the classes.

    Example:
        ```python
        from langchain_segmind import ChatSegmind

        model = ChatSegmind(model="gpt-4o", temperature=0)
        print(model.invoke("Name a prime number above 100.").text)
        ```
    """

    model_config = ConfigDict(defer_build=False)

    _parameters = ModelParameters

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            """Assign a field by either name, validated on its own; the profile follows the slug."""
            if name in KEY_NAMES:
                value = hide_api_key(value)  # this frame holds it, too
            is_model = OTHER_NAMES.get(name, name) == "model"
            follows = is_model and self.profile == self._resolve_model_profile()
            super().__setattr__(name, value)
            if follows:
                self.profile = self._resolve_model_profile()

    def configurable_fields(
        self, **kwargs: AnyConfigurableField
    ) -> RunnableSerializable[LanguageModelInput, AIMessage]:
        """Return a model whose fields, by either name, can be set in a call's `configurable`.

        Args:
            kwargs: Fields by name, such as `model_name=ConfigurableField(id="model")`.
        """
        fields = {OTHER_NAMES.get(name, name): field for name, field in kwargs.items()}
        if len(fields) < len(kwargs):
            raise ValueError("configurable_fields names one field twice.")
        return super().configurable_fields(**fields)

    @model_validator(mode="after")
    def _set_segmind_version(self) -> Self:
        self._add_version("langchain-segmind", __version__)
        return self

    # --- Calls ---

    async def ainvoke(
        self,
        input: LanguageModelInput,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """Return the model's reply; see `BaseChatModel.ainvoke`.

        Raises:
            RuntimeError: No asyncio event loop is running.
        """
        get_running_loop()
        return await super().ainvoke(input, config, stop=stop, **kwargs)

    async def abatch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """Return the model's replies to several inputs; see `Runnable.abatch`.

        Raises:
            RuntimeError: No asyncio event loop is running.
        """
        get_running_loop()
        return await super().abatch(inputs, config, return_exceptions=return_exceptions, **kwargs)

    def _should_stream(self, *, async_api: bool, **kwargs: Any) -> bool:
        if async_api:
            get_running_loop()  # `astream` begins here
        return super()._should_stream(async_api=async_api, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        settings = self._get_settings(stop, kwargs)
        tracker = start_tracking(run_manager.run_id if run_manager else None, settings.model)
        on_retry = run_manager.on_retry if run_manager else None
        sender = self._create_sender(settings, tracker, self.http_client, on_retry)
        call = run_call(messages, settings, formats.decode, self._server)
        request = next(call)
        while True:
            try:
                with explain_image_urls(request):
                    response = sender.send(self._encode(request, settings))
            except SegmindInvalidRequestError as error:
                request = call.throw(error)
                continue
            try:
                request = call.send(response)
            except StopIteration as end:
                return cast("ChatResult", end.value)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        settings = self._get_settings(stop, kwargs)
        tracker = start_tracking(run_manager.run_id if run_manager else None, settings.model)
        on_retry = run_manager.on_retry if run_manager else None
        sender = self._create_sender(settings, tracker, self.http_async_client, on_retry)
        call = run_call(messages, settings, formats.decode, self._server)
        request = next(call)
        while True:
            try:
                with explain_image_urls(request):
                    response = await sender.asend(self._encode(request, settings))
            except SegmindInvalidRequestError as error:
                request = call.throw(error)
                continue
            try:
                request = call.send(response)
            except StopIteration as end:
                return cast("ChatResult", end.value)

    def _generate_with_cache(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if self._has_cache:
            messages = remove_response_facts(messages)
        with ending_run(run_manager.run_id if run_manager else None):
            return super()._generate_with_cache(messages, stop, run_manager, **kwargs)

    async def _agenerate_with_cache(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if self._has_cache:
            messages = remove_response_facts(messages)
        try:
            return await super()._agenerate_with_cache(messages, stop, run_manager, **kwargs)
        except asyncio.CancelledError as error:
            # Core reports all errors but this one: traces would show a call that never ends.
            if run_manager:
                await run_manager.on_llm_error(error)
            raise

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        result = self._generate(messages, stop, run_manager, **kwargs)
        for chunk in convert_result_to_chunks(result, self.output_version):
            if run_manager:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        result = await self._agenerate(messages, stop, run_manager, **kwargs)
        for chunk in convert_result_to_chunks(result, self.output_version):
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def _create_sender(
        self,
        settings: CallSettings,
        tracker: UsageTracker,
        client: httpx.Client | httpx.AsyncClient | None,
        on_retry: Callable[..., Any] | None = None,
    ) -> Sender | QueueSender:
        options: dict[str, Any] = {
            "api_key": self.segmind_api_key,
            "timeout": settings.timeout,
            "max_retries": self.max_retries,
            "client": client,
            "rate_limiter": self.rate_limiter,
            "observer": tracker,
            "on_retry": on_retry,
        }
        if settings.is_queued:
            return QueueSender(base=get_queue_base(self._base_url), **options)
        return Sender(retry_read_timeouts=self.retry_read_timeouts, **options)

    def _encode(self, request: ChatRequest, settings: CallSettings) -> APIRequest:
        content = formats.encode(request, settings.request_format)
        if self.check_context:
            check_context(request.turns, len(content), settings.max_input_tokens)
        return APIRequest(
            method="POST",
            url=create_url(
                get_queue_base(self._base_url) if settings.is_queued else self._base_url,
                settings.model,
            ),
            content=content,
            headers=self.default_headers or {},
        )

    def _get_settings(
        self, stop: Sequence[str] | None = None, arguments: Mapping[str, Any] | None = None
    ) -> CallSettings:
        return create_call_settings(
            self.__dict__, stop, arguments or {}, has_timeout="timeout" in self.model_fields_set
        )

    def bind_tools(
        self,
        tools: Iterable[AnyTool],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> SegmindBinding:
        """Bind tools, which the model calls through text.

        Segmind does not forward tools, so the prompt describes them and the calls are parsed from
        the reply: a list in Python syntax, `[add(a=1, b=2)]`.

        Args:
            tools: Functions, `BaseTool`s, pydantic classes, TypedDicts, JSON schemas with a
                title, or OpenAI's dicts. May be empty.
            tool_choice: What must be called. None or "auto": the model decides. "any", "required"
                or True: any tool. A tool's name, `{"name": ...}` or `{"type": "function",
                "function": {"name": ...}}`: that tool. "none" or False: no tool. If the model does
                not comply, it is asked again (`output_retries`), then the call raises.
            parallel_tool_calls: False keeps the first call of a reply; the others are in
                `response_metadata["dropped_tool_calls"]`. None and True keep all.
            strict: True makes a call invalid if its arguments do not match the tool's schema;
                otherwise the tool checks them.
            kwargs: Further arguments of the call, such as `temperature`.

        Returns:
            The model with the tools bound, as OpenAI's dicts.

        Raises:
            ValueError: A tool cannot be called through text, its schema is too large to be
                written, two tools share a name, or `tool_choice` names no bound tool.
            SegmindOutputError: In a call: the model does not call what it must.

        Example:
            ```python
            from langchain_segmind import ChatSegmind


            def add(a: int, b: int) -> int:
                "Add two numbers."
                return a + b


            model = ChatSegmind(model="gpt-5.4-mini").bind_tools([add])
            print(model.invoke("What is 2 + 3?").tool_calls)
            ```
        """
        converted = convert_tools(tools, strict=strict)
        toolset = create_toolset(converted)
        given: dict[str, Any] = {"parallel_tool_calls": parallel_tool_calls}
        if tool_choice is not None:
            choice = parse_tool_choice(tool_choice, toolset)
            given["tool_choice"] = choice.convert_to_openai()
        chosen = {name: value for name, value in given.items() if value is not None}
        return self.bind(tools=converted, **chosen, **kwargs)

    @overload  # type: ignore[override] # core's own type knows pydantic's classes only
    def with_structured_output(
        self,
        schema: type[Answer],
        *,
        include_raw: Literal[False] = False,
        tools: None = None,
        **options: Unpack[OutputOptions],
    ) -> Runnable[LanguageModelInput, Answer]: ...

    @overload
    def with_structured_output(
        self,
        schema: type[Answer],
        *,
        include_raw: Literal[False] = False,
        tools: Sequence[AnyTool],
        **options: Unpack[OutputOptions],
    ) -> Runnable[LanguageModelInput, Answer | None]: ...

    @overload
    def with_structured_output(
        self,
        schema: type[Answer],
        *,
        include_raw: Literal[True],
        tools: Sequence[AnyTool] | None = None,
        **options: Unpack[OutputOptions],
    ) -> Runnable[LanguageModelInput, RawAnswer[Answer]]: ...

    @overload
    def with_structured_output(
        self,
        schema: dict[str, Any] | None = None,
        *,
        include_raw: Literal[False] = False,
        tools: None = None,
        **options: Unpack[OutputOptions],
    ) -> Runnable[LanguageModelInput, dict[str, Any]]: ...

    @overload
    def with_structured_output(
        self,
        schema: dict[str, Any] | None = None,
        *,
        include_raw: Literal[False] = False,
        tools: Sequence[AnyTool],
        **options: Unpack[OutputOptions],
    ) -> Runnable[LanguageModelInput, dict[str, Any] | None]: ...

    @overload
    def with_structured_output(
        self,
        schema: dict[str, Any] | None = None,
        *,
        include_raw: Literal[True],
        tools: Sequence[AnyTool] | None = None,
        **options: Unpack[OutputOptions],
    ) -> Runnable[LanguageModelInput, RawAnswer[dict[str, Any]]]: ...

    @overload
    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None,
        *,
        include_raw: bool,
        tools: Sequence[AnyTool] | None = None,
        **options: Unpack[OutputOptions],
    ) -> Runnable[LanguageModelInput, Any]: ...

    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: OutputMethod | None = None,
        include_raw: bool = False,
        strict: bool | None = None,
        tools: Sequence[AnyTool] | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Return a runnable that replies with objects of a schema; without tools, never None.

        A reply that does not match, or that a class's validators refuse, is shown to the model
        with the reason, and the model is asked again (`output_retries`).

        Args:
            schema: A pydantic class (v2 or v1), dataclass, TypedDict, JSON schema, or OpenAI's
                dict of a tool. None for any JSON object, with `json_mode` only.
            method: "function_calling" has the model call a function named like the schema.
                "json_schema" describes the schema and asks for JSON. "json_mode" asks for JSON
                that your own prompt describes. By default "json_schema" for a model that is held
                to it (`native_response_format`), else "function_calling".
            include_raw: Whether to return `{"raw": AIMessage, "parsed": object | None,
                "parsing_error": Exception | None}` and not raise if no reply matches.
            strict: OpenAI's `strict` of a schema that is sent to the model. By default True where
                that changes no property to a required one. Replies are always checked.
            tools: Tools that the model can call before it answers. A reply that calls them is
                returned as None, so pass `include_raw` as well. Not with "function_calling".
            kwargs: Not supported; raises TypeError.

        Returns:
            A runnable that returns instances of a class, and dicts for TypedDicts and JSON
            schemas.

        Raises:
            TypeError: An argument is unknown.
            ValueError: The schema or method cannot be used.
            SegmindOutputError: In a call without `include_raw`: no reply matches. It is an
                `OutputParserException` as well.

        Example:
            ```python
            from langchain_segmind import ChatSegmind
            from pydantic import BaseModel


            class Joke(BaseModel):
                setup: str
                punchline: str


            model = ChatSegmind(model="gpt-5.4-mini").with_structured_output(Joke, include_raw=True)
            print(model.invoke("Tell me a joke about cats.")["parsed"])
            ```
        """
        if kwargs:
            raise TypeError(
                f"with_structured_output has no argument {', '.join(map(repr, kwargs))}; bind "
                "arguments of the call afterwards: with_structured_output(...).bind(temperature=0)."
            )
        output = None if schema is None else create_structured_output(schema)
        if method is None:
            is_native = bool(tools) or self._get_settings().takes_format("json_schema")
            method = "json_schema" if is_native else "function_calling"
        requirement = create_requirement(output, method, strict=strict)
        if tools:
            if output is None or method == "function_calling":
                raise ValueError("tools need a schema and method='json_schema' or 'json_mode'.")
            output = replace(output, has_tools=True)
            requirement["tools"] = convert_tools(tools)
        model = self.bind(
            **requirement,
            structured_output=output,
            # With the raw reply, `parsing_error` reports an unmet requirement.
            on_unmet_requirement="return" if include_raw else "raise",
            ls_structured_output_format=create_tracing_format(
                output, schema, method=method, strict=strict
            ),
        )
        return model | create_parser(output, include_raw=include_raw)

    # --- Jobs ---

    def bind(self, **kwargs: Any) -> SegmindBinding:
        """Return a model that gets these arguments in each call, and each job.

        Args:
            kwargs: Arguments of the call, such as `temperature`.
        """
        return SegmindBinding(bound=self, kwargs=kwargs, config={})

    def submit(
        self, prompt: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> SegmindJob:
        """Submit a job to Segmind's queue, and return without waiting for its result.

        The request is sent once: where it is unknown whether the queue accepted it, the error says
        so. LangChain's callbacks are not called. The enclosing `get_segmind_credits_callback`
        blocks count the job here, and its cost where its result is fetched.

        What `with_structured_output` returns has no `submit`. For an object of a schema, submit
        with the schema as the tool that must be called: `model.bind_tools([Town],
        tool_choice="Town").submit(...)`. Then `result().tool_calls[0]["args"]` has its fields.

        Args:
            prompt: The messages, as for `invoke`.
            stop: As for `invoke`.
            kwargs: Further arguments of the call, such as `tools`. `timeout` bounds the submission.

        Returns:
            The job, whose `result()` waits for the reply.

        Raises:
            SegmindError: The job was not accepted, or that is unknown (phase `"submit"`).
            TypeError: An argument is unknown.
            ValueError: A message or an argument cannot be sent, or is not JSON where the job
                stores it.

        Source: https://docs.segmind.com/docs/serverless-api (asynchronous requests)

        Example:
            ```python
            from langchain_segmind import ChatSegmind

            job = ChatSegmind(model="gpt-5").submit("Name a prime number above 100.")
            print(job.request_id, job.status())
            print(job.result().text)
            ```
        """
        return submit_job(self, prompt, {**kwargs, "stop": stop})

    async def asubmit(
        self, prompt: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> SegmindJob:
        """Submit a job to Segmind's queue; see `submit`.

        Args:
            prompt: The messages, as for `invoke`.
            stop: As for `invoke`.
            kwargs: Further arguments of the call, such as `tools`.
        """
        return await asubmit_job(self, prompt, {**kwargs, "stop": stop})

    def get_job(self, request_id: str, **kwargs: Any) -> SegmindJob:
        """Return a job whose request ID is known, for example from an error. Nothing is sent.

        Args:
            request_id: Segmind's id of the job.
            kwargs: The call's arguments that decide how the reply is read, such as `tools`.

        Raises:
            TypeError: An argument is unknown.
            ValueError: It is not a request ID, or an argument is invalid.
        """
        return SegmindJob(request_id, self, convert_arguments(self, kwargs))

    def get_token_ids(self, text: str) -> list[int]:
        """Return a text's tokens in cl100k_base, GPT-4 Turbo's vocabulary.

        Args:
            text: Any text; special tokens count as ordinary text.

        Raises:
            ImportError: The extra `tokens` is missing, and there is no `custom_get_token_ids`.
        """
        return self.custom_get_token_ids(text) if self.custom_get_token_ids else encode(text)

    def get_num_tokens(self, text: str) -> int:
        """Return the number of tokens of a text, offline.

        Args:
            text: Any text; special tokens count as ordinary text.

        Returns:
            The number of tokens: exact for GPT-4 Turbo with the extra `tokens`, otherwise an
            estimate within a third for prose and code.

        Example:
            ```python
            from langchain_segmind import ChatSegmind

            print(ChatSegmind(model="gpt-5.4-mini", api_key="fake").get_num_tokens("hello world"))
            ```
        """
        if self.custom_get_token_ids:
            return len(self.custom_get_token_ids(text))
        return count_tokens(text)

    def get_num_tokens_from_messages(
        self,
        messages: list[BaseMessage],
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool] | None = None,
    ) -> int:
        """Return the number of tokens of a conversation as it is sent, with its tools and images.

        Images count by the rules of GPT-4o, Claude up to Opus 4.6 and Gemini 2, by the model's
        format, and as 1,024 x 1,024 pixels where the size is unknown, as behind a URL. Not counted:
        what a model thinks before it replies, and what Segmind adds to a prompt, if anything.

        Args:
            messages: The conversation; may be empty.
            tools: As for `bind_tools`.

        Returns:
            The number of input tokens, text counted as by `get_num_tokens`.

        Raises:
            ValueError: A message cannot be sent.

        Source: https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken
        """
        if not messages:
            return 0
        settings = self._get_settings(arguments={"tools": tools})
        turns = create_request(messages, settings).turns
        count_image = partial(count_image_tokens, api_format=settings.request_format)
        return count_turn_tokens(turns, self.get_num_tokens, count_image)

    # --- LangChain's hooks ---

    @property
    def _llm_type(self) -> str:
        return "segmind-chat"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        params = {name: getattr(self, name) for name in (*BodyParameters.model_fields, "stop")}
        return {
            **{name: value for name, value in params.items() if value is not None},
            **self.model_kwargs,
            "model": self.model,
            "segmind_api_base": self._server,
        }

    def _get_invocation_params(
        self, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        # LangChain asks for these first in every call, and traces them: an unknown argument may
        # hold a secret.
        check_call_arguments(kwargs, [*type(self).model_fields, *OTHER_NAMES])
        begin_call()
        params = {**self.asdict(), "stop": stop, **kwargs}
        # Not JSON; `ls_structured_output_format` describes it.
        params.pop("structured_output", None)
        return params

    def _combine_llm_outputs(self, llm_outputs: list[dict[str, Any] | None]) -> dict[str, Any]:
        return combine_outputs(llm_outputs)

    @property
    def _has_cache(self) -> bool:
        if self.cache is None:
            return get_llm_cache() is not None
        return self.cache is not False

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        # Core's key is memoized: it misses assignments and `model_copy(update=...)`, and it
        # differs for a bound setting and the same field (langchain-ai/langchain#39598).
        settings = self._get_settings(stop, kwargs)
        changes_the_reply = {
            **settings.cache_key,
            "segmind_api_base": self._server,
            "output_version": self.output_version,
        }
        return f"{self._llm_type} {json.dumps(changes_the_reply, sort_keys=True)}"

    def _convert_cached_generations(self, cache_val: list[Generation]) -> list[ChatGeneration]:
        # Core writes usage_metadata["total_cost"] = 0 into a hit, in place, which changes the key
        # of the conversation's next turn (langchain-ai/langchain#35308): all get copies.
        hits = []
        for stored in cache_val:
            if isinstance(stored, ChatGeneration):
                message = copy_cached_message(stored.message)
                hits.append(stored.model_copy(update={"message": message}))
            else:
                hits += super()._convert_cached_generations([stored])
        return hits

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        model = kwargs.get("model") or kwargs.get("model_name") or self.model
        own_stop = cast("list[str] | None", self.stop)
        params = super()._get_ls_params(
            stop=own_stop if stop is None else stop, **{**kwargs, "model": model}
        )
        params["ls_provider"] = PROVIDER
        return params

    def _resolve_model_profile(self) -> ModelProfile | None:
        profile = find_model(self.model).profile
        return None if profile is None else ModelProfile(**profile)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Return True: instances can be serialized with `dumps`."""
        return True

    @property
    def lc_secrets(self) -> dict[str, str]:
        """The environment variables that replace secrets in serialized models."""
        return {"segmind_api_key": API_KEY_ENV}

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """What replaces fields in serialized models: the base URL without credentials."""
        return {"segmind_api_base": self._server}


class ChatSegmindGPT4Turbo(ChatSegmind):
    """GPT-4 Turbo on Segmind: `ChatSegmind` with the slug `gpt-4-turbo`.

    OpenAI ended gpt-4-turbo on 2026-10-23. If Segmind no longer answers, use another model:
    `ChatSegmind(model="gpt-5.4-mini")`.

    128,000 tokens of context, replies of up to 4,096 tokens, text only. Every reply has the
    account's remaining credits in `response_metadata["remaining_credits"]` (1 credit = 1 US
    dollar).

    Source: https://www.segmind.com/models/gpt-4-turbo/api

    Example:
        ```python
        from langchain_segmind import ChatSegmindGPT4Turbo

        model = ChatSegmindGPT4Turbo(temperature=0)
        message = model.invoke("Why is the sky blue? One sentence.")
        print(message.text, message.usage_metadata)
        print("credits left:", message.response_metadata["remaining_credits"])
        ```
    """

    model: Slug = Field(
        default="gpt-4-turbo",
        description="The model's slug, as on https://www.segmind.com/models.",
    )
