"""LangChain messages to turns."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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

from langchain_segmind._api.endpoint import ROLES, Role
from langchain_segmind._api.json_body import describe_surrogate
from langchain_segmind._chat.blocks import (
    find_calls,
    get_kind,
    is_bookkeeping,
    is_media,
    read_text,
    unwrap,
)
from langchain_segmind._chat.images import Image, has_url, is_image, read_image
from langchain_segmind._chat.names import add_name, find_named_roles
from langchain_segmind._chat.thoughts import split_thoughts
from langchain_segmind._chat.turns import Part, Turn, join_texts
from langchain_segmind._tools import escape_tags, render_calls, render_result

ROLE_NAMES: Mapping[str, Role] = {
    **{role: role for role in ROLES},
    "developer": "system",
    "human": "user",
    "ai": "assistant",
}
"""Roles of a `ChatMessage`, in lower case."""

IMAGE_LEFT_OUT = "[An image was left out: this model takes text only.]"
URL_LEFT_OUT = "[An image was left out: this model takes no image URLs.]"
"""What a model is shown in place of an image in a tool's result that it cannot take."""

ONLY_IMAGES = "[See the image below.]"
"""The text of a tool's result that has none."""


def convert_messages(
    messages: Sequence[BaseMessage],
    instructions: str = "",
    *,
    model: str = "",
    takes_images: bool = True,
    takes_image_urls: bool = True,
    include_names: bool = True,
) -> list[Turn]:
    """Convert LangChain messages to turns, in order, without changing them.

    Text blocks are joined: a model's as they are, others by a line feed. Tool calls become the text
    that the model is asked for. Results become a user's text that names the call, and the images of
    the result after it; consecutive ones share a turn. Instructions are appended to the system
    message that begins the conversation, or precede it.

    Args:
        messages: The conversation.
        instructions: What the prompt says about tools and the format of the answer.
        model: The slug, for errors.
        takes_images: Whether the model takes images. Otherwise one is an error, or in a tool's
            result a note.
        takes_image_urls: Whether the model takes images by URL, or Base64 only.
        include_names: Whether to write the names of messages where several speak in one role.

    Raises:
        ValueError: There is no message, or one cannot be sent.
    """
    if not messages:
        raise ValueError("There are no messages to send; pass at least one.")
    writer = _TurnWriter(
        has_tools=bool(instructions) or any(map(_has_calls, messages)),
        named_roles=find_named_roles([(_find_role(each), each.name) for each in messages])
        if include_names
        else frozenset(),
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
    return isinstance(message, ToolMessage | FunctionMessage) or bool(find_calls(message))


@dataclass
class _TurnWriter:
    """Writes one conversation.

    Attributes:
        has_tools: Whether tools occur, so that nobody's text may look like our tags.
        named_roles: Roles whose messages begin with their names.
        model: The slug.
        takes_images: Whether the model takes images.
        takes_image_urls: Whether it takes them by URL.
        turns: The turns so far.
    """

    has_tools: bool
    named_roles: frozenset[Role]
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
        turn = Turn(_get_role(message, index), [], index)
        calls = find_calls(message) if turn.role == "assistant" else []
        self._end_results()
        is_reply = turn.role == "assistant"
        converted = (
            self._convert(block, index, turn.role) for block in _get_blocks(message, index)
        )
        turn.parts = join_texts((part for part in converted if part), "" if is_reply else "\n")
        if is_reply:
            turn.parts = _leave_out_thoughts(turn.parts)
        if turn.role in self.named_roles:
            add_name(turn, message.name)
        if self.has_tools:
            turn.parts = [escape_tags(p) if isinstance(p, str) else p for p in turn.parts]
        if calls:
            self._remember_call_ids(calls)
            # A reply without a call that can be run has its whole text as content.
            text = str(message.text) if getattr(message, "invalid_tool_calls", None) else ""
            if unwritten := _find_unwritten(calls, text):
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
            if is_image(block):
                if note := self._find_left_out(block):
                    texts.append(note)
                else:
                    images.append(self._read_image(block, index))
            elif is_media(block):
                raise _create_media_error(block, index, self.model)
            elif (text := read_text(block)) is not None:
                texts.append(text)
            else:  # whatever its type: it is what the tool returned
                texts.append(_write_json(block, index))
        return "\n".join(texts) or (ONLY_IMAGES if images else ""), images

    def _find_left_out(self, block: Any) -> str:
        """Return the note in place of an image that the model cannot take; empty if it can."""
        if not self.takes_images:
            return IMAGE_LEFT_OUT
        return "" if self.takes_image_urls or not has_url(block) else URL_LEFT_OUT

    def _convert(self, block: Any, index: int, role: Role) -> Part:
        """Return the text or the image in a block; empty for what is not sent."""
        if not is_image(block):
            text = read_text(block)
            is_reply = role == "assistant"
            if text is None and (is_media(block) or not (is_reply or is_bookkeeping(block))):
                raise _create_media_error(block, index, self.model)
            return text or ""
        kind = get_kind(block)
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
            image = read_image(block)
        except ValueError as error:
            problem = str(error)
        if image.url and not self.takes_image_urls:
            problem = f"has an image behind a URL; {self.model!r} takes images as Base64 only"
        if problem:
            raise ValueError(f"Message {index} {problem} (a block of type {get_kind(block)!r}).")
        return image


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


def _find_role(message: BaseMessage) -> Role | None:
    match message:
        case SystemMessage():
            return "system"
        case HumanMessage():
            return "user"
        case AIMessage():
            return "assistant"
        case ChatMessage(role=role):
            return ROLE_NAMES.get(role.lower())
        case _:
            return None


def _get_role(message: BaseMessage, index: int) -> Role:
    role = _find_role(message)
    if role is not None:
        return role
    if isinstance(message, ChatMessage):
        raise ValueError(
            f"Message {index} has the role {message.role!r}; the endpoint accepts "
            f"{', '.join(ROLES)}."
        )
    raise ValueError(
        f"Message {index} is of type {message.type!r} ({type(message).__name__}), which cannot be "
        "sent; pass system, human, AI and tool messages."
    )


def _check_encoding(parts: Iterable[Part], index: int) -> None:
    for part in parts:
        text = part if isinstance(part, str) else f"{part.media_type} {part.url} {part.detail}"
        try:
            text.encode()
        except UnicodeEncodeError as error:
            problem = describe_surrogate(error)
            raise ValueError(f"Message {index} cannot be sent: {problem}") from None


def _get_blocks(message: BaseMessage, index: int) -> Iterable[Any]:
    content = message.content
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        raise ValueError(f"Message {index} has content that is neither a string nor a list.")
    for block in content:
        if not isinstance(block, str | dict):
            raise ValueError(
                f"Message {index} has {type(block).__name__!r} in its content, not a string or "
                "block."
            )
    return map(unwrap, content)


def _create_media_error(block: Any, index: int, model: str) -> ValueError:
    to = f" to {model!r}" if model else ""
    return ValueError(
        f"Message {index} has a block of type {get_kind(block)!r}, which cannot be sent{to}: "
        "Segmind documents text and images only. Pass its content as text."
    )
