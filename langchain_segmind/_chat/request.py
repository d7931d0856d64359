"""LangChain messages to a request that no provider's JSON has shaped yet."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import groupby
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    InvalidToolCall,
    SystemMessage,
    ToolCall,
    ToolMessage,
)
from langchain_core.messages.tool import invalid_tool_call, tool_call

from langchain_segmind._api.endpoint import ROLES, Role
from langchain_segmind._chat.images import Image, has_url, is_image, read_image
from langchain_segmind._chat.thoughts import split_thoughts
from langchain_segmind._settings.call_settings import CallSettings
from langchain_segmind._tools import escape_tags, render_calls, render_result
from langchain_segmind.exceptions import SegmindInvalidRequestError

REASONING_BLOCKS = frozenset({"reasoning", "reasoning_content", "redacted_thinking", "thinking"})
"""Block types of a model's reasoning, which no provider takes back from another."""

CALL_BLOCKS: Mapping[str, str] = {"tool_call": "args", "tool_use": "input"}
"""Block types of a tool call, and the key of its arguments."""

PARTIAL_CALL_BLOCKS = frozenset({"tool_call_chunk", "invalid_tool_call", "input_json_delta"})
"""Block types of what a message's `tool_calls` and `invalid_tool_calls` hold as well."""

TEXT_KEYS: Mapping[str, str] = {"text": "text", "text-plain": "text", "refusal": "refusal"}
"""Block types of text, and the key that it is under."""

MEDIA_BLOCKS = frozenset({"audio", "input_audio", "video", "file", "document", "media"})
"""Block types that Segmind documents no way to send."""

IMAGE_LEFT_OUT = "[An image was left out: this model takes text only.]"
URL_LEFT_OUT = "[An image was left out: this model takes no image URLs.]"
"""What a model is shown in place of an image in a tool's result that it cannot take."""

ONLY_IMAGES = "[See the image below.]"
"""The text of a tool's result that has none."""

IMAGE_URL_ADVICE = (
    "If the URL of an image is the reason, pass the image as Base64: Segmind cannot download from "
    "every host."
)

Part = str | Image


@dataclass(slots=True)
class Turn:
    """One turn of a conversation.

    Attributes:
        role: Who speaks. System text stays where it was: only some providers have one place for it.
        parts: What is said and shown, in order: at least one part, no two texts in a row.
        index: The index of the first message in it; None for instructions.
    """

    role: Role
    parts: list[Part]
    index: int | None = field(default=None, compare=False)

    @property
    def text(self) -> str:
        """The text of all parts."""
        return "".join(part for part in self.parts if isinstance(part, str))

    def add(self, part: Part, separator: str = "") -> None:
        """Append a part; a text after a text is joined with it."""
        self.parts = [*self.parts[:-1], *join_texts([*self.parts[-1:], part], separator)]


def join_texts(parts: Iterable[Part], separator: str = "") -> list[Part]:
    """Return parts with texts that follow one another joined, in linear time."""
    joined: list[Part] = []
    for is_text, group in groupby(parts, key=lambda part: isinstance(part, str)):
        run = [*group]
        joined += [separator.join(map(str, run))] if is_text else run
    return joined


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A conversation and how to answer it.

    Its turns are independent of LangChain and of any provider's format; its `parameters` still have
    OpenAI's names.

    Attributes:
        turns: The conversation, oldest first; calls and results of tools are text.
        parameters: Further keys of the request's body.
        stop: Strings that end the reply.
        model: The slug, for errors.
        response_format: OpenAI's `response_format`, to be sent; None for none.
    """

    turns: Sequence[Turn]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    stop: Sequence[str] = ()
    model: str = ""
    response_format: Mapping[str, Any] | None = None


@contextmanager
def explain_image_urls(request: ChatRequest) -> Iterator[None]:
    """Add to the error for a refused request that its image URLs may be the reason.

    Source: https://github.com/segmind/segmind-python (the URLs of some hosts are refused)
    """
    try:
        yield
    except SegmindInvalidRequestError as error:
        images = (part for turn in request.turns for part in turn.parts if isinstance(part, Image))
        if error.status_code == HTTPStatus.BAD_REQUEST and any(image.url for image in images):
            error.args = (f"{error} {IMAGE_URL_ADVICE}",)
        raise


def create_request(messages: Sequence[BaseMessage], settings: CallSettings) -> ChatRequest:
    """Create the request for a call.

    Raises:
        ValueError: A message cannot be sent; the error names its index, from 0.
    """
    turns = convert_messages(
        messages,
        settings.instructions,
        model=settings.model,
        takes_images=settings.takes_images,
        takes_image_urls=settings.takes_image_urls,
    )
    return ChatRequest(
        turns,
        settings.parameters,
        settings.stop_strings,
        settings.model,
        settings.native_format,
    )


def convert_messages(
    messages: Sequence[BaseMessage],
    instructions: str = "",
    *,
    model: str = "",
    takes_images: bool = True,
    takes_image_urls: bool = True,
) -> list[Turn]:
    """Convert LangChain messages to turns, in order, without changing them.

    Tool calls become the text that the model is asked for. Results become a user's text that names
    the call, and the images of the result after it; consecutive ones share a turn. Instructions are
    appended to the system message that begins the conversation, or precede it.

    Args:
        messages: The conversation.
        instructions: What the prompt says about tools and the format of the answer.
        model: The slug, for errors.
        takes_images: Whether the model takes images. Otherwise one is an error, or in a tool's
            result a note.
        takes_image_urls: Whether the model takes images by URL, or Base64 only.

    Raises:
        ValueError: There is no message, or one cannot be sent.
    """
    if not messages:
        raise ValueError("There are no messages to send; pass at least one.")
    writer = _TurnWriter(
        has_tools=bool(instructions) or any(map(_has_calls, messages)),
        model=model,
        takes_images=takes_images,
        takes_image_urls=takes_image_urls,
    )
    for index, message in enumerate(messages):
        try:
            writer.add(message, index)
        except RecursionError:
            raise ValueError(f"Message {index} is nested too deeply to be sent.") from None
    return writer.finish(instructions)


def _has_calls(message: BaseMessage) -> bool:
    return isinstance(message, ToolMessage | FunctionMessage) or bool(_get_calls(message))


@dataclass
class _TurnWriter:
    """Writes one conversation.

    Attributes:
        has_tools: Whether tools occur, so that nobody's text may look like our tags.
        model: The slug.
        takes_images: Whether the model takes images.
        takes_image_urls: Whether it takes them by URL.
        turns: The turns so far.
    """

    has_tools: bool
    model: str
    takes_images: bool
    takes_image_urls: bool
    turns: list[Turn] = field(default_factory=list)
    _calls: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    """By call id: the tool's name, and the call's number from 1 if it is one of several."""
    _ends_with_result: bool = False

    def add(self, message: BaseMessage, index: int) -> None:
        if isinstance(message, ToolMessage | FunctionMessage):
            self._add_result(message, index)
            return
        calls = _get_calls(message)
        turn = Turn(_get_role(message, index), [], index)
        self._end_results()
        converted = (
            self._convert(block, index, turn.role) for block in _get_blocks(message, index)
        )
        turn.parts = join_texts(part for part in converted if part)
        if turn.role == "assistant":
            turn.parts = _leave_out_thoughts(turn.parts)
        if self.has_tools:
            turn.parts = [escape_tags(p) if isinstance(p, str) else p for p in turn.parts]
        if calls:
            self._remember_call_ids(calls)
            # A reply without a call that can be run has its whole text as content.
            if unwritten := _find_unwritten(calls, str(message.text)):
                turn.add(render_calls(unwritten), "\n")
        if not turn.parts:
            turn.parts.append("")
        _check_encoding(turn.parts, index)
        self.turns.append(turn)

    def finish(self, instructions: str) -> list[Turn]:
        """Return the turns, with the instructions if there are any."""
        self._end_results()
        if instructions:
            self._prepend_instructions(instructions)
        return self.turns

    def _end_results(self) -> None:
        """Join the results of the last turn, if it has any."""
        if self._ends_with_result:
            self.turns[-1].parts = join_texts(self.turns[-1].parts, "\n")
        self._ends_with_result = False

    def _prepend_instructions(self, instructions: str) -> None:
        first = self.turns[0]
        if first.role == "system" and first.text:
            first.add(instructions, "\n\n")
        else:
            self.turns.insert(0, Turn("system", [instructions]))

    def _remember_call_ids(self, calls: Sequence[ToolCall | InvalidToolCall]) -> None:
        for number, call in enumerate(calls, start=1):
            if call["id"] is not None:
                self._calls[call["id"]] = call["name"] or "", number if len(calls) > 1 else None

    def _add_result(self, message: ToolMessage | FunctionMessage, index: int) -> None:
        call_id = getattr(message, "tool_call_id", None)
        name, number = self._calls.get(str(call_id), (None, None))
        status = getattr(message, "status", None)
        content, images = self._read_result(message, index)
        text = render_result(
            content,
            name=name or message.name,
            id=call_id,
            call=number,
            status=status if status == "error" else None,
        )
        if not self._ends_with_result:
            self.turns.append(Turn("user", [], index))
        parts: list[Part] = [text, *images]
        _check_encoding(parts, index)
        self.turns[-1].parts += parts
        self._ends_with_result = True

    def _read_result(
        self, message: ToolMessage | FunctionMessage, index: int
    ) -> tuple[str, list[Image]]:
        """Return a tool's result as text and images; what is neither is written as JSON."""
        texts: list[str] = []
        images: list[Image] = []
        for block in _get_blocks(message, index):
            kind = _get_kind(block)
            if isinstance(block, str):
                texts.append(block)
            elif is_image(_unwrap(block)):
                if note := self._find_left_out(block):
                    texts.append(note)
                else:
                    images.append(self._read_image(block, index))
            elif kind in TEXT_KEYS or kind in MEDIA_BLOCKS:
                texts.append(_get_block_text(block, index, self.model))
            else:
                texts.append(_write_json(block, index))
        return "\n".join(texts) or (ONLY_IMAGES if images else ""), images

    def _find_left_out(self, block: Any) -> str:
        """Return the note in place of an image that the model cannot take; empty if it can."""
        if not self.takes_images:
            return IMAGE_LEFT_OUT
        return "" if self.takes_image_urls or not has_url(_unwrap(block)) else URL_LEFT_OUT

    def _convert(self, block: Any, index: int, role: Role) -> Part:
        """Return the text or the image in a block; empty for what is not sent."""
        if isinstance(block, str):
            return block
        kind = _get_kind(block)
        if not is_image(_unwrap(block)):
            return _get_block_text(block, index, self.model)
        if role != "user":
            raise ValueError(
                f"Message {index} has a block of type {kind!r}, but its role is {role!r}: only "
                "human and tool messages can contain images."
            )
        if not self.takes_images:
            raise ValueError(
                f"Message {index} has a block of type {kind!r}, but {self.model!r} takes text "
                "only. Leave the image out, use a model whose profile has image_inputs, or pass "
                "profile={'image_inputs': True} if this one takes images."
            )
        return self._read_image(block, index)

    def _read_image(self, block: Any, index: int) -> Image:
        image, problem = Image(), ""
        try:
            image = read_image(_unwrap(block))
        except ValueError as error:
            problem = str(error)
        if image.url and not self.takes_image_urls:
            problem = f"has an image behind a URL; {self.model!r} takes images as Base64 only"
        if problem:
            raise ValueError(f"Message {index} {problem} (a block of type {_get_kind(block)!r}).")
        return image


def _get_calls(message: BaseMessage) -> list[ToolCall | InvalidToolCall]:
    """Return a message's calls, including those that are only in its content."""
    if not isinstance(message, AIMessage):
        return []
    calls: list[ToolCall | InvalidToolCall] = [*message.tool_calls, *message.invalid_tool_calls]
    known = {call["id"] for call in calls}
    blocks = message.content if isinstance(message.content, list) else []
    for block in blocks:
        block = _unwrap(block)  # noqa: PLW2901 - what LangChain wraps is a block as well
        key = CALL_BLOCKS.get(_get_kind(block), "")
        if not key or not isinstance(block, dict):
            continue
        call_id = block.get("id") if isinstance(block.get("id"), str) else None
        name, args = block.get("name"), block.get(key)
        if call_id in known or not isinstance(name, str):
            continue
        if isinstance(args, str):
            with suppress(ValueError):
                args = json.loads(args)
        if isinstance(args, dict):
            calls.append(tool_call(name=name, args=args, id=call_id))
        elif args is not None:
            text = f"{name}({args if isinstance(args, str) else json.dumps(args, default=str)})"
            calls.append(invalid_tool_call(name=name, args=text, id=call_id))
    return calls


def _leave_out_thoughts(parts: list[Part]) -> list[Part]:
    """Return a model's parts without the thoughts that begin the text."""
    if not parts or not isinstance(parts[0], str):
        return parts
    text = split_thoughts(parts[0])[1]
    return [text, *parts[1:]] if text else parts[1:]


def _write_json(block: Any, index: int) -> str:
    try:
        return json.dumps(block, ensure_ascii=False, default=str)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Message {index} has a block that cannot be written as JSON: {error}."
        ) from None


def _find_unwritten(
    calls: Sequence[ToolCall | InvalidToolCall], text: str
) -> list[ToolCall | InvalidToolCall]:
    """Return the calls that are not, as invalid ones can be, a part of the message's text."""
    unwritten, position = [], 0
    for call in calls:
        written, name = call["args"], call["name"]
        is_call = isinstance(written, str) and bool(name) and str(name) in written
        start = text.find(str(written), position) if is_call else -1
        if start < 0:
            unwritten.append(call)
        else:
            position = start + len(str(written))
    return unwritten


def _get_role(message: BaseMessage, index: int) -> Role:
    match message:
        case SystemMessage():
            return "system"
        case HumanMessage():
            return "user"
        case AIMessage():
            return "assistant"
        case ChatMessage(role=role) if role in ROLES:
            return role
        case ChatMessage(role=role):
            raise ValueError(
                f"Message {index} has the role {role!r}; the endpoint accepts {', '.join(ROLES)}."
            )
        case _:
            raise ValueError(
                f"Message {index} is of type {message.type!r} ({type(message).__name__}), which "
                "cannot be sent; pass system, human, AI and tool messages."
            )


def _check_encoding(parts: Iterable[Part], index: int) -> None:
    for part in parts:
        text = part if isinstance(part, str) else f"{part.media_type} {part.url} {part.detail}"
        try:
            text.encode()
        except UnicodeEncodeError as error:
            problem = describe_surrogate(error)
            raise ValueError(f"Message {index} cannot be sent: {problem}") from None


def describe_surrogate(error: UnicodeEncodeError) -> str:
    """Return why UTF-8 cannot encode a text, and what to do."""
    before = error.object[max(0, error.start - 20) : error.start]
    return (
        f"the text after {before!r} contains half of a character (a lone surrogate), which UTF-8 "
        "cannot encode. Remove it, or repair the place where the text was cut."
    )


def _get_blocks(message: BaseMessage, index: int) -> Iterable[Any]:
    content = message.content
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        raise ValueError(f"Message {index} has content that is neither a string nor a list.")
    return content


def _unwrap(block: Any) -> Any:
    """Return what is in a block that LangChain wraps since it does not know it."""
    is_wrapped = isinstance(block, dict) and block.get("type") == "non_standard"
    return block["value"] if is_wrapped and isinstance(block.get("value"), dict) else block


def _get_kind(block: Any) -> str:
    block = _unwrap(block)
    return str(block.get("type")) if isinstance(block, dict) else ""


def _get_block_text(block: Any, index: int, model: str) -> str:
    if not isinstance(block, dict):
        raise ValueError(
            f"Message {index} has {type(block).__name__!r} in its content, not a string or block."
        )
    kind = _get_kind(block)
    if kind in REASONING_BLOCKS or kind in CALL_BLOCKS or kind in PARTIAL_CALL_BLOCKS:
        return ""
    text = _unwrap(block).get(TEXT_KEYS.get(kind, ""))
    if not isinstance(text, str):
        to = f" to {model!r}" if model else ""
        raise ValueError(
            f"Message {index} has a block of type {kind!r}, which cannot be sent{to}: Segmind "
            "documents text and images only. Pass its content as text."
        )
    return text
