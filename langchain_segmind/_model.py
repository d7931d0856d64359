"""What chat models and embedding models have in common: names, keys, connections, credits."""

from collections.abc import Mapping
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import httpx
from pydantic import (
    BaseModel,
    ConfigDict,
    SecretStr,
    field_serializer,
    model_validator,
)

from langchain_segmind._api.api_key import hide_api_key
from langchain_segmind._api.balance import SegmindCredits, create_credits
from langchain_segmind._api.endpoint import CREDITS_PATH
from langchain_segmind._api.secrets import MASK, strip_url_credentials
from langchain_segmind._api.url import create_url
from langchain_segmind._http import APIRequest, Sender, aclose, close
from langchain_segmind._settings.arguments import DEFAULT_TIMEOUT_SECONDS, Timeout, check_names
from langchain_segmind._settings.parameters import CommonParameters, validate_field
from langchain_segmind._settings.validation import validate
from langchain_segmind.callbacks.tracking import UsageTracker

if TYPE_CHECKING:
    from langchain_segmind._api.api_key import ApiKeySource

OTHER_NAMES: Mapping[str, str] = {
    "model_name": "model",
    "api_key": "segmind_api_key",
    "base_url": "segmind_api_base",
}
"""Other names of some fields. They are not pydantic's aliases, which would replace the fields' own
names for type checkers."""

KEY_NAMES = frozenset({"segmind_api_key", "api_key"})


class SegmindModel(CommonParameters):
    """Base of the models: constructor and assignment, connections, balance, and no shown secret."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=False)

    _parameters: ClassVar[type[BaseModel]] = CommonParameters
    """The fields that an assignment validates."""

    if TYPE_CHECKING:
        # Type checkers build the constructors of this class and its subclasses from the fields;
        # these are OTHER_NAMES.
        model_name: str = ""
        api_key: ApiKeySource = None
        base_url: str | None = None
        # For type checkers and the API reference: each kind of model has a field of its own.
        timeout: Timeout | None = DEFAULT_TIMEOUT_SECONDS
        """Seconds that one call may take, including retries and the waits between them; None for
        no limit. Defaults to 120, or to 600 for a chat model where the queue is used. An
        `httpx.Timeout` bounds the phases of each attempt instead."""
    else:

        def __init__(self, **arguments: Any) -> None:
            # The constructor's frames hold its arguments, and some loggers write them out.
            for name in KEY_NAMES & arguments.keys():
                arguments[name] = hide_api_key(arguments[name])
            validate(partial(super().__init__, **arguments))

        @classmethod
        def model_validate_json(cls, *arguments: Any, **options: Any) -> Self:
            """Return a model of JSON; the error for malformed JSON does not contain it."""
            return validate(partial(super().model_validate_json, *arguments, **options))

        model_name = property(attrgetter("model"))
        api_key = property(attrgetter("segmind_api_key"))
        base_url = property(attrgetter("segmind_api_base"))

        def __setattr__(self, name: str, value: Any) -> None:
            """Assign a field by either name, validated on its own.

            pydantic's `validate_assignment` would run all validators of the model again, those of
            subclasses included.
            """
            if name in KEY_NAMES:
                value = hide_api_key(value)
            name = OTHER_NAMES.get(name, name)
            if name in self._parameters.model_fields:
                value = validate_field(self._parameters, name, value)
            super().__setattr__(name, value)

    @model_validator(mode="before")
    @classmethod
    def _check_argument_names(cls, arguments: Any) -> Any:
        if unknown := arguments.keys() - cls.model_fields.keys() - OTHER_NAMES.keys():
            aliases = (info.alias for info in cls.model_fields.values() if info.alias)
            known = {*cls.model_fields, *OTHER_NAMES, *aliases}
            check_names(unknown, known, cls.__name__)
        for other, name in OTHER_NAMES.items():
            if name in arguments and other in arguments:
                raise TypeError(f"{cls.__name__} takes {name!r} or {other!r}, not both.")
        return {OTHER_NAMES.get(name, name): value for name, value in arguments.items()}

    # --- Connections ---

    def close(self) -> None:
        """Close the connections for synchronous calls, which all models of the process share.

        Connections in use are closed once they are free; the next call opens new ones. Your own
        `http_client` stays open. A model need not be closed.

        Example:
            ```python
            from langchain_segmind import ChatSegmind

            with ChatSegmind(model="gpt-5.4-mini") as model:
                print(model.invoke("Say hello.").text)
            ```
        """
        close()

    async def aclose(self) -> None:
        """Close the running event loop's connections, which all models in it share.

        Connections in use are closed once they are free; the next call opens new ones. Your own
        `http_async_client` stays open. The loop closes the connections when it shuts down.
        """
        await aclose()

    def __enter__(self) -> Self:
        """Return self; connections close when the block exits."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    async def __aenter__(self) -> Self:
        """Return self; connections close when the block exits."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.aclose()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Copy the model; the copy uses the same HTTP clients, which cannot be copied."""
        clients = (self.http_client, self.http_async_client)
        kept = {id(client): client for client in clients if client is not None}
        return super().__deepcopy__((memo or {}) | kept)

    @property
    def _base_url(self) -> str:
        return cast("str", self.segmind_api_base)

    @property
    def _server(self) -> str:
        """The base URL without credentials."""
        return strip_url_credentials(self._base_url)

    # --- Credits ---

    def get_credits(self) -> SegmindCredits:
        """Return the account's balance. It runs no model and costs nothing.

        Returns:
            Bought and free credits and their total; 1 credit = 1 US dollar.

        Raises:
            SegmindError: The request failed.

        Source: https://docs.segmind.com/api-reference/account-and-billing-apis

        Example:
            ```python
            from langchain_segmind import ChatSegmind

            print(ChatSegmind(model="gpt-5.4-mini").get_credits().total)
            ```
        """
        sender, request = self._prepare_credits_request(self.http_client)
        return create_credits(sender.send(request))

    async def aget_credits(self) -> SegmindCredits:
        """Return the account's balance. It runs no model and costs nothing.

        Returns:
            Bought and free credits and their total; 1 credit = 1 US dollar.

        Raises:
            SegmindError: The request failed.

        Source: https://docs.segmind.com/api-reference/account-and-billing-apis
        """
        sender, request = self._prepare_credits_request(self.http_async_client)
        return create_credits(await sender.asend(request))

    def _prepare_credits_request(
        self, client: httpx.Client | httpx.AsyncClient | None
    ) -> tuple[Sender, APIRequest]:
        sender = Sender(
            api_key=self.segmind_api_key,
            timeout=self.timeout,
            max_retries=self.max_retries,
            retry_read_timeouts=self.retry_read_timeouts,
            client=client,
            observer=UsageTracker(CREDITS_PATH),
        )
        url = create_url(self._base_url, CREDITS_PATH)
        return sender, APIRequest(method="GET", url=url, headers=self.default_headers or {})

    # --- What is shown ---

    @field_serializer("segmind_api_base")
    def _serialize_api_base(self, base: str) -> str:
        return strip_url_credentials(base)

    @field_serializer("timeout", when_used="json", check_fields=False)
    def _serialize_timeout(self, timeout: Any) -> Any:
        return timeout.as_dict() if isinstance(timeout, httpx.Timeout) else timeout

    @field_serializer("segmind_api_key")
    def _serialize_api_key(self, key: Any) -> SecretStr | None:
        """Leave out callables: what they hold may be shown."""
        if isinstance(key, str):
            return SecretStr(key)
        return key if isinstance(key, SecretStr) else None

    def __repr_args__(self) -> Any:
        """Yield the fields to show, without secrets."""
        for name, value in super().__repr_args__():
            if name == "segmind_api_base":
                yield name, strip_url_credentials(value)
            elif name == "segmind_api_key" and value is not None:
                yield name, MASK
            else:
                yield name, value
