"""Fields of the models.

Every model has `CommonParameters`. Chat models have `ModelParameters`, of which those of
`CallParameters` can be overridden in a call.
"""

from functools import partial
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    field_validator,
)

from langchain_segmind._api.api_key import read_api_key_env
from langchain_segmind._api.url import read_api_base_env
from langchain_segmind._settings.arguments import (
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUT_SECONDS,
    ApiBase,
    ApiKey,
    BodyKeys,
    Headers,
    HTTPAsyncClient,
    HTTPClient,
    LogitBias,
    MaxRetries,
    MaxTokens,
    OnInvalidToolCall,
    OutputRetries,
    Penalty,
    Slug,
    Stop,
    Temperature,
    Timeout,
    TopP,
)
from langchain_segmind._settings.validation import validate
from langchain_segmind.data._profiles import APIFormat


def _require_model() -> str:
    raise TypeError(
        "ChatSegmind needs model=..., a slug such as 'gpt-4-turbo' "
        "(https://www.segmind.com/models); ChatSegmindGPT4Turbo has a default."
    )


CONFIG = ConfigDict(
    arbitrary_types_allowed=True,
    defer_build=True,  # only assignments validate the fields without a model
    hide_input_in_errors=True,
    populate_by_name=True,
    protected_namespaces=(),
    use_attribute_docstrings=True,
)


class CommonParameters(BaseModel):
    """What can be set on any model."""

    model_config = CONFIG

    segmind_api_key: ApiKey = Field(default_factory=read_api_key_env)
    """The API key, also `api_key`: a str, a SecretStr, or a callable, sync or async, that is
    called before each request, so that keys can be rotated. Defaults to the environment variable
    `SEGMIND_API_KEY`."""

    segmind_api_base: ApiBase = Field(default_factory=read_api_base_env, validate_default=True)
    """The URL before `/{slug}`, also `base_url`. Defaults to the environment variable
    `SEGMIND_API_BASE`, else `https://api.segmind.com/v1`."""

    max_retries: MaxRetries = DEFAULT_RETRIES
    """How many times a failed request is sent again, at most. Rate limits, 5xx, 408 and lost
    connections are retried; a response that breaks off in its body, and a call that times out after
    its request was sent, are not. 408, 504, 524 and late disconnects may have been billed; 0 avoids
    a second bill. None is the default."""

    retry_read_timeouts: bool = False
    """Whether a request that timed out after it was sent is sent again. It may have been billed,
    so the same call may be billed twice. It matters with an `httpx.Timeout`: a number bounds the
    whole call, which leaves no time for another attempt."""

    default_headers: Headers | None = Field(default=None, exclude=True, repr=False)
    """Additional HTTP headers, for a proxy or gateway. Never shown or serialized."""

    http_client: HTTPClient = Field(default=None, exclude=True, repr=False)
    """Your own httpx client for synchronous calls: proxies, certificates, limits. It is used, but
    never closed."""

    http_async_client: HTTPAsyncClient = Field(default=None, exclude=True, repr=False)
    """Your own httpx client for asynchronous calls; it belongs to one event loop."""

    check_context: bool = True
    """Whether input that is known to exceed the model's limit is refused before it is billed. Needs
    the extra `tokens`."""


class BodyParameters(BaseModel):
    """Parameters that are sent as keys of the request's body when they are set."""

    model_config = CONFIG

    temperature: Temperature | None = None
    """Sampling temperature, 0 to 2. Defaults to the model's own."""

    max_tokens: MaxTokens | None = None
    """The maximum number of tokens in the reply. Defaults to the model's own."""

    top_p: TopP | None = None
    """Nucleus sampling: the probability mass that is sampled from, 0 to 1. Defaults to the model's
    own."""

    seed: int | None = None
    """A seed for sampling, where the model supports it."""

    presence_penalty: Penalty | None = None
    """A penalty for tokens that occur in the text so far, -2 to 2. Defaults to the model's own."""

    frequency_penalty: Penalty | None = None
    """A penalty for tokens by how often they occur in the text so far, -2 to 2. Defaults to the
    model's own."""

    logit_bias: LogitBias | None = None
    """A bias for the probability of tokens, by their ID."""

    logprobs: bool | None = None
    """Whether the reply reports the probabilities of its tokens, where the model supports it; they
    are in `response_metadata["logprobs"]`."""

    top_logprobs: NonNegativeInt | None = None
    """How many tokens `logprobs` reports at each position."""

    max_completion_tokens: MaxTokens | None = None
    """The maximum number of tokens in the reply with the reasoning before it, for OpenAI's models
    that reason."""

    reasoning_effort: str | None = None
    """How long a model reasons, such as "low", where the model supports it."""

    service_tier: str | None = None
    """The tier that serves the request, where the provider has several."""

    store: bool | None = None
    """Whether the provider stores the request, where it can."""

    user: str | None = None
    """An identifier of your user, for the provider."""


class CallParameters(BodyParameters):
    """What can be set on the model and in a call."""

    model: Slug = Field(default_factory=_require_model)
    """The model's slug, as on https://www.segmind.com/models."""

    api_format: APIFormat | None = None
    """The JSON format of the model's requests, in Segmind's words: "openai", "anthropic" or
    "gemini". Defaults to what is known of the slug. Replies are read in any of them."""

    native_response_format: bool | None = None
    """Whether a `response_format` is sent to the model, beside the prompt that describes it.
    Defaults to what is known of the slug; True sends it in any case, False never. It is not sent
    while the model can call tools. Replies are checked either way."""

    stop: Stop | None = None
    """One or more strings at which the reply is cut off. They are applied here, and sent as well to
    models with OpenAI's format. A call's `stop` replaces the model's; `[]` means none."""

    include_names: bool = True
    """Whether the text of a message begins with its `name` where several names speak in one role,
    as in a chat of agents: `<name>Ann</name><content>...</content>`, as langgraph-supervisor writes
    it. A reply in this form is returned without it."""

    use_queue: bool | None = None
    """Whether requests are jobs of Segmind's queue (v2), which is made for slow models: submitted
    once, and asked for until they are done. Defaults to what is known of the slug: True for models
    that take more than 30 s on average."""

    timeout: Timeout | None = DEFAULT_TIMEOUT_SECONDS
    """Seconds that one call may take, including retries and the waits between them; None for no
    limit. Defaults to 120, or to 600 where the queue is used. Waiting for the `rate_limiter`, or
    for a connection without a client of your own, does not count. An `httpx.Timeout` bounds the
    phases of each attempt instead. Replies take 10 s on average and sometimes a minute."""

    model_kwargs: BodyKeys = Field(default_factory=dict)
    """Further keys of the request's body, such as `{"top_k": 40}`."""

    on_invalid_tool_call: OnInvalidToolCall = "retry"
    """What happens with a tool call that cannot be run: "retry" shows it to the model with the
    reason and asks again; "return" puts it into `invalid_tool_calls` at once."""

    calls_in_text: bool = True
    """Whether tool calls within other text count. If False, a reply is calls as a whole, or
    text."""

    output_retries: OutputRetries = 1
    """How many times one call may ask again, 0 to 10: for invalid tool calls as above, if a tool
    call or JSON was required and the reply has none, and if it is unclear whether the model meant
    to call. Each request is billed."""

    @field_validator("model_kwargs")
    @classmethod
    def _check_model_kwargs(cls, body_keys: dict[str, Any]) -> dict[str, Any]:
        reserved = {
            "messages": "they are the input of the call",
            "instruction": "pass a system message instead",
            "model": "pass model=... instead",
            "stop": "pass stop=... instead",
            "stream": "the endpoint does not stream",
            "n": "use batch for several replies",
            **{name: f"pass {name}=... instead" for name in BodyParameters.model_fields},
        }
        for key in body_keys.keys() & reserved.keys():
            raise ValueError(f"model_kwargs cannot hold {key!r}: {reserved[key]}.")
        return body_keys


class ModelParameters(CommonParameters, CallParameters):
    """What can be set on a chat model."""

    streaming: bool | None = None
    """Whether `invoke` uses `stream`. The endpoint does not stream: `stream` yields the
    whole reply at once."""


def validate_field(parameters: type[BaseModel], name: str, value: Any) -> Any:
    """Return a value as the field of that name holds it.

    Args:
        parameters: The class of the fields, which has no validators of a model as a whole.
        name: The field's name.
        value: The value to validate.

    Raises:
        ValueError: The value is invalid (pydantic's `ValidationError`).
    """
    fields = parameters.model_construct(model="")
    assign = parameters.__pydantic_validator__.validate_assignment
    validate(partial(assign, fields, name, value))
    return getattr(fields, name)
