"""Segmind's language models as LangChain chat models."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Literal, Self, Unpack, cast

import httpx
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import (
    BaseChatModel,
    LangSmithParams,
    LanguageModelInput,
    ModelProfile,
)
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, Generation
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool
from pydantic import (
    ConfigDict,
    Field,
    NonNegativeInt,
    SecretStr,
    field_serializer,
    field_validator,
    model_validator,
)

from langchain_segmind._api.api_key import ApiKeySource, find_api_key_fault, read_api_key_env
from langchain_segmind._api.balance import SegmindCredits, create_credits
from langchain_segmind._api.endpoint import (
    API_KEY_ENV,
    CREDITS_PATH,
    PROVIDER,
    APIResponse,
)
from langchain_segmind._api.secrets import MASK, strip_url_credentials
from langchain_segmind._api.url import create_url, read_api_base_env
from langchain_segmind._chat.context import check_context, count_wire_tokens
from langchain_segmind._chat.reask import converse
from langchain_segmind._chat.request import (
    convert_messages_to_wire,
    create_payload,
    encode_payload,
)
from langchain_segmind._chat.response import convert_result_to_chunks
from langchain_segmind._chat.tokens import count_tokens, encode
from langchain_segmind._http import Request, aclose, asend, close, send
from langchain_segmind._http.auth import aresolve_api_key, resolve_api_key
from langchain_segmind._http.deadline import Deadline
from langchain_segmind._http.retries import Patience, create_async_retrying, create_retrying
from langchain_segmind._output.structured_output import (
    create_parser,
    create_requirement,
    create_structured_output,
    create_tracing_format,
)
from langchain_segmind._settings.arguments import (
    ApiBase,
    Arguments,
    Headers,
    MaxTokens,
    ModelKwargs,
    OnInvalidToolCall,
    OutputRetries,
    Slug,
    Stop,
    Temperature,
    Timeout,
    TopP,
    check_headers,
    check_names,
    parse_call_arguments,
)
from langchain_segmind._settings.call_settings import CallSettings, create_call_settings
from langchain_segmind._tools import convert_tools, create_toolset, parse_tool_choice
from langchain_segmind._version import __version__
from langchain_segmind.callbacks.tracking import Watch, begin_watch, forget_handlers, keep_handlers
from langchain_segmind.data._profiles import PROFILES
from langchain_segmind.exceptions import SegmindRateLimitError


class ChatSegmind(BaseChatModel):
    """A Segmind language model that answers in OpenAI's shape, chosen by its slug.

    Every argument is a keyword. The endpoint documents `messages` only: what is not set is
    not sent, and what is set is forwarded by Segmind as it is.

    Source: https://www.segmind.com/models/gpt-4-turbo/api

    Raises:
        TypeError: If an argument is misspelt, here or in a call; the message names the nearest
            real one. If there is no model.
        ValueError: If a value cannot be right (pydantic's `ValidationError`), or, in a call, if a
            message cannot be sent. No message shows the key.
        SegmindError: In a call, if it fails; `langchain_segmind.exceptions` draws the tree.

    Example:
        ```python
        from langchain_segmind import ChatSegmind

        model = ChatSegmind(model="gpt-4o", temperature=0)
        print(model.invoke("Name a prime number above 100.").text)
        ```
    """

    model: Slug = Field(alias="model_name")
    """The model's slug, as on https://www.segmind.com/models. A call may name another one."""

    segmind_api_key: ApiKeySource = Field(alias="api_key", default_factory=read_api_key_env)
    """The API key: a str, a SecretStr, or a callable, sync or async, that is asked before each
    request, so that keys can be rotated. Default: the variable `SEGMIND_API_KEY`."""

    segmind_api_base: ApiBase = Field(
        alias="base_url", default_factory=read_api_base_env, validate_default=True
    )
    """Where the models are: the URL before `/{slug}`. Default: the variable `SEGMIND_API_BASE`,
    else `https://api.segmind.com/v1`."""

    temperature: Temperature | None = None
    """How freely to choose words, 0 to 2. None leaves it to the model."""

    max_tokens: MaxTokens | None = None
    """The longest reply, in tokens. None leaves it to the model."""

    top_p: TopP | None = None
    """Choose among the likeliest tokens of this share, 0 to 1. None leaves it to the model."""

    seed: int | None = None
    """Equal seeds ask for equal replies; no model guarantees it."""

    stop: Stop | None = None
    """Strings (or one) that end the reply before them; a call's `stop` replaces them, and `[]`
    means none. They are sent, and the reply is cut here as well."""

    timeout: Timeout | None = 120
    """Seconds that one call may take, retries and the waits between them included; None for any
    time. Waiting for a connection or for the `rate_limiter` does not count. An `httpx.Timeout`
    bounds the phases of each attempt instead. Replies take 10 s on average and sometimes a
    minute."""

    max_retries: NonNegativeInt = 2
    """How often a failed request that cannot have been billed is sent again; 0 for never."""

    retry_read_timeouts: bool = False
    """Whether a request that got no answer within an `httpx.Timeout` is sent again as well. It may
    have been billed, so that the same call may be billed twice."""

    default_headers: Headers | None = Field(default=None, exclude=True, repr=False)
    """Additional HTTP headers, for a proxy or gateway. Never shown or serialized."""

    http_client: httpx.Client | None = Field(default=None, exclude=True, repr=False)
    """An httpx client of your own for synchronous calls: proxies, certificates, limits. It is
    used, never closed."""

    http_async_client: httpx.AsyncClient | None = Field(default=None, exclude=True, repr=False)
    """An httpx client of your own for asynchronous calls; it belongs to one event loop."""

    model_kwargs: ModelKwargs = Field(default_factory=dict)
    """Further keys of the request's body, such as `{"presence_penalty": 0.5}`."""

    on_invalid_tool_call: OnInvalidToolCall = "return"
    """What to do with a tool call that cannot be run: "return" it in `invalid_tool_calls`, or
    "retry": show it to the model with the reason and ask again."""

    output_retries: OutputRetries = 1
    """How often one call may ask again, 0 to 10: for invalid tool calls as above, and where a
    tool call or JSON was forced and the reply holds none. Each request is paid for."""

    check_context: bool = True
    """Whether to count the tokens of what may exceed the model's context (`profile`) and refuse it
    before it is paid for. They are counted with the extra `tokens` only."""

    streaming: bool | None = None
    """Whether `invoke` goes through `stream`. The endpoint does not stream: a reply arrives
    whole, as one chunk."""

    model_config = ConfigDict(
        arbitrary_types_allowed=True,
        extra="forbid",
        hide_input_in_errors=True,
        populate_by_name=True,
        protected_namespaces=(),
    )

    def __init__(self, **arguments: Unpack[Arguments]) -> None:
        """Create a model; the fields above say what it takes."""
        super().__init__(**arguments)

    @model_validator(mode="before")
    @classmethod
    def _check_argument_names(cls, arguments: Any) -> Any:
        aliases = {name: info.alias for name, info in cls.model_fields.items() if info.alias}
        check_names(arguments, [*cls.model_fields, *aliases.values()], cls.__name__)
        if cls.model_fields["model"].is_required() and not {"model", "model_name"} & {*arguments}:
            raise TypeError(
                f"{cls.__name__} needs model=..., a slug such as 'gpt-4-turbo' "
                "(https://www.segmind.com/models); ChatSegmindGPT4Turbo has it already."
            )
        for name in ("segmind_api_key", "api_key"):
            if isinstance(arguments.get(name), str):  # or a validation error would hold it
                arguments = {**arguments, name: SecretStr(arguments[name])}
        for name, alias in aliases.items():
            if name in arguments and alias in arguments:
                raise TypeError(f"{cls.__name__} takes {name!r} or {alias!r}, not both.")
        return arguments

    @field_validator("segmind_api_key")
    @classmethod
    def _check_api_key(cls, key: ApiKeySource) -> ApiKeySource:
        if key is None:
            return read_api_key_env()
        if isinstance(key, SecretStr) and (fault := find_api_key_fault(key)):
            raise ValueError(f"{fault} Set {API_KEY_ENV}, or pass segmind_api_key=....")
        return key

    @model_validator(mode="after")
    def _set_segmind_version(self) -> Self:
        self._add_version("langchain-segmind", __version__)
        return self

    # --- Connections ---

    def close(self) -> None:
        """Close the connections of synchronous calls, which all models of the process share.

        Those in use are closed once they are free, and the next call opens new ones. An
        `http_client` of your own stays open. A model that is dropped needs no closing.

        Example:
            ```python
            from langchain_segmind import ChatSegmindGPT4Turbo

            with ChatSegmindGPT4Turbo() as model:
                print(model.invoke("Say hello.").text)
            ```
        """
        close()

    async def aclose(self) -> None:
        """Close the running event loop's connections, which all models in it share.

        Those in use are closed once they are free, and the next call opens new ones. An
        `http_async_client` of your own stays open. The loop's own end closes them as well.
        """
        await aclose()

    def __enter__(self) -> Self:
        """Give the model; the end of the `with` block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the model."""
        self.close()

    async def __aenter__(self) -> Self:
        """Give the model; the end of the `async with` block closes it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the model."""
        await self.aclose()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Copy the model; the copy uses the same clients, which cannot be copied."""
        clients = (self.http_client, self.http_async_client)
        kept = {id(client): client for client in clients if client is not None}
        return super().__deepcopy__((memo or {}) | kept)

    # --- Calls ---

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        settings = self._get_settings(stop, kwargs)
        watch = begin_watch(run_manager, settings.model)
        patience = self._create_patience(settings.timeout)
        acquire = self.rate_limiter.acquire if self.rate_limiter else None
        on_retry = run_manager.on_retry if run_manager else None
        retrying = create_retrying(patience, on_retry, acquire)
        conversation = converse(messages, settings)
        request = self._create_chat_request(next(conversation), settings)
        while True:
            reply = retrying(self._send, request, patience.deadline, watch)
            try:
                asked = conversation.send(reply)
            except StopIteration as end:
                return cast("ChatResult", end.value)
            request = self._create_chat_request(asked, settings)
            if acquire:
                with patience.deadline.paused():
                    acquire()

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        settings = self._get_settings(stop, kwargs)
        watch = begin_watch(run_manager, settings.model)
        patience = self._create_patience(settings.timeout)
        acquire = self.rate_limiter.aacquire if self.rate_limiter else None
        on_retry = run_manager.on_retry if run_manager else None
        retrying = create_async_retrying(patience, on_retry, acquire)
        conversation = converse(messages, settings)
        request = self._create_chat_request(next(conversation), settings)
        while True:
            reply: APIResponse = await retrying(self._asend, request, patience.deadline, watch)
            try:
                asked = conversation.send(reply)
            except StopIteration as end:
                return cast("ChatResult", end.value)
            request = self._create_chat_request(asked, settings)
            if acquire:
                with patience.deadline.paused():
                    await acquire()

    def _generate_with_cache(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with keep_handlers(run_manager):
            return super()._generate_with_cache(messages, stop, run_manager, **kwargs)

    async def _agenerate_with_cache(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        try:
            with keep_handlers(run_manager):
                return await super()._agenerate_with_cache(messages, stop, run_manager, **kwargs)
        except asyncio.CancelledError as error:
            # Core tells of all errors but this one: traces would show a call that never ends.
            if run_manager:
                await run_manager.on_llm_error(error)
            raise

    def stream(
        self,
        input: LanguageModelInput,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """Hand on the reply as a stream, whole, since the endpoint does not stream.

        Args:
            input: As for `invoke`.
            config: As for `invoke`.
            kwargs: As for `invoke`.
        """
        forget_handlers()
        yield from super().stream(input, config, **kwargs)

    async def astream(
        self,
        input: LanguageModelInput,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """Hand on the reply as a stream; see `stream`.

        Args:
            input: As for `invoke`.
            config: As for `invoke`.
            kwargs: As for `invoke`.
        """
        forget_handlers()
        chunks = cast("AsyncGenerator[AIMessageChunk]", super().astream(input, config, **kwargs))
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        result = self._generate(messages, stop, run_manager, **kwargs)
        for chunk in convert_result_to_chunks(result):
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
        for chunk in convert_result_to_chunks(result):
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer tools to the model, which calls them through text.

        Segmind forwards no tools, so that they are described in the prompt and the calls are
        read from the reply: a list in Python's syntax, `[add(a=1, b=2)]`.

        Args:
            tools: Functions, `BaseTool`s, pydantic classes, TypedDicts, JSON schemas with a
                title, or OpenAI's dicts. May be empty.
            tool_choice: What must be called: None or "auto" leaves it to the model; "any",
                "required" or True asks for any tool; a tool's name, `{"name": ...}` or
                `{"type": "function", "function": {"name": ...}}` for that one; "none" or False
                forbids calls. A choice that the model does not follow is asked for again
                (`output_retries`), then raises.
            parallel_tool_calls: False keeps one call of a reply; the others stand in
                `response_metadata["dropped_tool_calls"]`. None and True keep all.
            strict: True makes a call invalid whose arguments do not fit the tool's schema; else
                the tool is the judge of them.
            kwargs: Further arguments of the call, such as `temperature`.

        Returns:
            The model with the tools bound, as OpenAI's dicts.

        Raises:
            ValueError: If a tool cannot be called through text, two tools share a name, or
                `tool_choice` names none of them.
            SegmindOutputError: In a call, if the model does not call what it must.

        Example:
            ```python
            from langchain_segmind import ChatSegmindGPT4Turbo


            def add(a: int, b: int) -> int:
                "Add two numbers."
                return a + b


            model = ChatSegmindGPT4Turbo().bind_tools([add])
            print(model.invoke("What is 2 + 3?").tool_calls)
            ```
        """
        converted = convert_tools(tools, strict=strict)
        given: dict[str, Any] = {"parallel_tool_calls": parallel_tool_calls}
        if tool_choice is not None:
            choice = parse_tool_choice(tool_choice, create_toolset(converted))
            given["tool_choice"] = choice.convert_to_openai()
        chosen = {name: value for name, value in given.items() if value is not None}
        return self.bind(tools=converted, **chosen, **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: Literal["function_calling", "json_schema", "json_mode"] = "function_calling",
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Get objects of a schema instead of messages; never None.

        A reply that does not fit, or that a class's own validators refuse, is shown to the model
        with the reason, and asked for again (`output_retries`).

        Args:
            schema: A pydantic class (v2 or v1), dataclass, TypedDict, JSON schema, or OpenAI's
                dict of a tool. None for any JSON object, with `json_mode` only.
            method: "function_calling" lets the model call a function of the schema's name,
                the form that this model is known to be good at. "json_schema" describes the schema
                and asks for JSON, "json_mode" asks for JSON that the prompt itself describes.
            include_raw: Get `{"raw": AIMessage, "parsed": object | None, "parsing_error":
                Exception | None}`, and no exception for a reply that does not fit.
            strict: Taken as other packages take it; replies are always checked.
            kwargs: None are known.

        Returns:
            A runnable that gives instances of a class, and dicts for TypedDicts and JSON schemas.

        Raises:
            TypeError: If an argument is unknown.
            ValueError: If the schema or the method cannot be used.
            SegmindOutputError: In a call without `include_raw`, if no reply fits. It is an
                `OutputParserException` as well.

        Example:
            ```python
            from langchain_segmind import ChatSegmindGPT4Turbo
            from pydantic import BaseModel


            class Joke(BaseModel):
                setup: str
                punchline: str


            model = ChatSegmindGPT4Turbo().with_structured_output(Joke, include_raw=True)
            print(model.invoke("Tell me a joke about cats.")["parsed"])
            ```
        """
        if kwargs:
            raise TypeError(
                f"with_structured_output has no argument {', '.join(map(repr, kwargs))}; "
                "bind a call's arguments after it: with_structured_output(...).bind(temperature=0)."
            )
        output = None if schema is None else create_structured_output(schema)
        model = self.bind(
            **create_requirement(output, method),
            structured_output=output,
            # With the raw reply, an unmet demand is told by `parsing_error`.
            on_unmet_requirement="return" if include_raw else "raise",
            ls_structured_output_format=create_tracing_format(
                output, schema, method=method, strict=strict
            ),
        )
        return model | create_parser(output, include_raw=include_raw)

    def get_credits(self) -> SegmindCredits:
        """Get the account's balance. It runs no model and costs nothing.

        Returns:
            Bought and given credits and their total; 1 credit = 1 US dollar.

        Raises:
            SegmindError: As for any call.

        Source: https://docs.segmind.com/api-reference/account-and-billing-apis

        Example:
            ```python
            from langchain_segmind import ChatSegmindGPT4Turbo

            print(ChatSegmindGPT4Turbo().get_credits().total)
            ```
        """
        request = self._create_credits_request()
        patience = self._create_patience(request.timeout)
        retrying, watch = create_retrying(patience), Watch(CREDITS_PATH)
        return create_credits(retrying(self._send, request, patience.deadline, watch))

    async def aget_credits(self) -> SegmindCredits:
        """Get the account's balance. It runs no model and costs nothing.

        Returns:
            Bought and given credits and their total; 1 credit = 1 US dollar.

        Raises:
            SegmindError: As for any call.

        Source: https://docs.segmind.com/api-reference/account-and-billing-apis
        """
        request = self._create_credits_request()
        patience = self._create_patience(request.timeout)
        retrying, watch = create_async_retrying(patience), Watch(CREDITS_PATH)
        return create_credits(await retrying(self._asend, request, patience.deadline, watch))

    def get_token_ids(self, text: str) -> list[int]:
        """Get a text's tokens in cl100k_base, GPT-4 Turbo's vocabulary.

        Args:
            text: Any text; that of a special token is text like any other.

        Raises:
            ImportError: If the extra `tokens` is missing, and there is no
                `custom_get_token_ids`.
        """
        return self.custom_get_token_ids(text) if self.custom_get_token_ids else encode(text)

    def get_num_tokens(self, text: str) -> int:
        """Count a text's tokens, offline.

        Args:
            text: Any text; that of a special token is text like any other.

        Returns:
            The number of its tokens: exact for GPT-4 Turbo with the extra `tokens`, else an
            estimate, within a third for prose and code.

        Example:
            ```python
            from langchain_segmind import ChatSegmindGPT4Turbo

            print(ChatSegmindGPT4Turbo(api_key="fake").get_num_tokens("hello world"))
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
        """Count the tokens of a conversation as it is sent, with what describes its tools.

        Args:
            messages: The conversation; may be empty.
            tools: As for `bind_tools`.

        Returns:
            The number of input tokens, counted as by `get_num_tokens`.

        Raises:
            ValueError: If a message cannot be sent.

        Source: https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken
        """
        if not messages:
            return 0
        settings = self._get_settings(arguments={"tools": tools})
        wire = convert_messages_to_wire(messages, settings.instructions)
        return count_wire_tokens(wire, self.get_num_tokens)

    def _create_patience(self, timeout: float | httpx.Timeout | None) -> Patience:
        # An `httpx.Timeout` bounds the phases of each attempt instead.
        deadline = Deadline(None if isinstance(timeout, httpx.Timeout) else timeout)
        return Patience(deadline, self.max_retries, self.retry_read_timeouts)

    def _send(self, request: Request, deadline: Deadline, watch: Watch) -> APIResponse:
        api_key = resolve_api_key(self.segmind_api_key)
        try:
            with watch.attempt() as attempt:
                attempt.reply = send(request, api_key, deadline, self.http_client)
        except SegmindRateLimitError as error:
            # Not this call alone has to wait, but all who share the limit.
            hold = getattr(self.rate_limiter, "hold", None)
            if hold and error.retry_after:
                hold(error.retry_after)
            raise
        return attempt.reply

    async def _asend(self, request: Request, deadline: Deadline, watch: Watch) -> APIResponse:
        api_key = await aresolve_api_key(self.segmind_api_key, deadline)
        client = self.http_async_client
        try:
            with watch.attempt() as attempt:
                attempt.reply = await asend(request, api_key, deadline, client)
        except SegmindRateLimitError as error:
            hold = getattr(self.rate_limiter, "ahold", None)
            if hold and error.retry_after:
                await hold(error.retry_after)
            raise
        return attempt.reply

    def _create_chat_request(
        self, messages: Sequence[BaseMessage], settings: CallSettings
    ) -> Request:
        payload = create_payload(
            messages, settings.parameters, settings.stop, settings.instructions
        )
        content = encode_payload(payload)
        if self.check_context and settings.model == self.model:
            limit = (self.profile or {}).get("max_input_tokens")
            check_context(payload["messages"], len(content), limit)
        return Request(
            method="POST",
            url=create_url(self.segmind_api_base, settings.model),
            content=content,
            headers=check_headers(self.default_headers or {}),
            timeout=settings.timeout,
        )

    def _create_credits_request(self) -> Request:
        return Request(
            method="GET",
            url=create_url(self.segmind_api_base, CREDITS_PATH),
            headers=check_headers(self.default_headers or {}),
            timeout=self.timeout,
        )

    def _get_settings(
        self, stop: Sequence[str] | None = None, arguments: Mapping[str, Any] | None = None
    ) -> CallSettings:
        return create_call_settings(self.__dict__, stop, arguments or {})

    # --- What LangChain asks about a model ---

    @property
    def _llm_type(self) -> str:
        return "segmind-chat"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        settings = self._get_settings()
        return {
            **settings.parameters,
            "model": settings.model,
            "segmind_api_base": strip_url_credentials(self.segmind_api_base),
            **({"stop": list(settings.stop)} if settings.stop else {}),
        }

    def _get_invocation_params(
        self, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        # LangChain traces these first: an argument that is refused may hold a secret.
        parse_call_arguments(kwargs)
        params = {**self.asdict(), "stop": stop, **kwargs}
        params.pop("structured_output", None)  # no JSON; `ls_structured_output_format` tells it
        return params

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        # Core's key is memoized: it misses assignments and `model_copy(update=...)`, and it
        # takes a bound setting and the same field for two (langchain-ai/langchain#39598).
        settings = self._get_settings(stop, kwargs)
        changes_the_reply = {
            **settings.cache_key,
            "segmind_api_base": strip_url_credentials(self.segmind_api_base),
            "output_version": self.output_version,
        }
        return f"{self._llm_type} {json.dumps(changes_the_reply, sort_keys=True)}"

    def _convert_cached_generations(self, cache_val: list[Generation]) -> list[ChatGeneration]:
        # Core writes usage_metadata["total_cost"] = 0 into a hit, in place, which changes the key
        # of the conversation's next turn (langchain-ai/langchain#35308). The id is taken out
        # since LangGraph merges messages of one id.
        hits = []
        for stored in cache_val:
            if isinstance(stored, ChatGeneration):
                message = stored.message.model_copy(update={"id": None}, deep=True)
                hits.append(stored.model_copy(update={"message": message}))
            else:
                hits += super()._convert_cached_generations([stored])
        return hits

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        model = kwargs.get("model") or kwargs.get("model_name") or self.model
        stop = self.stop if stop is None else stop
        params = super()._get_ls_params(stop=stop, **{**kwargs, "model": model})
        params["ls_provider"] = PROVIDER
        return params

    def _resolve_model_profile(self) -> ModelProfile | None:
        profile = PROFILES.get(self.model)
        return None if profile is None else ModelProfile(**profile)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Tell that `langchain_core.load.dumps` may write this class."""
        return True

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Name the variables that stand for secrets in what is written."""
        return {"segmind_api_key": API_KEY_ENV}

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """Give what is written in place of fields: the base URL without credentials."""
        return {"segmind_api_base": strip_url_credentials(self.segmind_api_base)}

    @field_serializer("segmind_api_base")
    def _serialize_api_base(self, base: str) -> str:
        return strip_url_credentials(base)

    @field_serializer("timeout", when_used="json")
    def _serialize_timeout(self, timeout: Any) -> Any:
        return timeout.as_dict() if isinstance(timeout, httpx.Timeout) else timeout

    @field_serializer("segmind_api_key")
    def _serialize_api_key(self, key: Any) -> SecretStr | None:
        """Callables are left out, since what they hold may be shown."""
        if isinstance(key, str):
            return SecretStr(key)
        return key if isinstance(key, SecretStr) else None

    def __repr_args__(self) -> Any:
        """Give the fields to show, without secrets."""
        shown = {"segmind_api_base": strip_url_credentials(self.segmind_api_base)}
        if self.segmind_api_key is not None:
            shown["segmind_api_key"] = MASK
        return [(name, shown.get(name, value)) for name, value in super().__repr_args__()]


class ChatSegmindGPT4Turbo(ChatSegmind):
    """GPT-4 Turbo on Segmind: `ChatSegmind` with the slug `gpt-4-turbo`.

    128,000 tokens of context, 4,096 of reply, text only. The account's remaining credits are
    in every reply's `response_metadata["remaining_credits"]` (1 credit = 1 US dollar).

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

    model: Slug = Field(default="gpt-4-turbo", alias="model_name")
    """The model's slug, as on https://www.segmind.com/models. A call may name another one."""

    # Type checkers make up a constructor for each pydantic class that has none of its own.
    def __init__(self, **arguments: Unpack[Arguments]) -> None:
        """Create a model; the fields of `ChatSegmind` say what it takes."""
        super().__init__(**arguments)
