"""Scripts for the gateway that answer as a model that reads its prompt would."""

import json
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import HumanMessage
from langchain_core.messages.tool import tool_call
from langchain_core.tools import tool

from langchain_segmind import ChatSegmind
from langchain_segmind._tools import render_calls
from langchain_segmind.data._profiles import APIFormat
from langchain_segmind.gateway import Completion, Request
from langchain_segmind.gateway.formats import FORMATS

CALL_ID = re.compile(r' id="call_\w+"')
OFFERED = re.compile(r"^(\w+)\(", re.MULTILINE)
"""The functions that a prompt describes."""
CALLED = re.compile(r"(?:^\[|\), )(\w+)\(")
"""The functions in a list of calls."""


def play(lines: Mapping[str, Any]) -> Callable[[Request], Any]:
    """Return a script that looks up its reply by the last message's text, without ids of calls.

    An unknown text, or a reply that calls a function that the prompt does not describe, is a 400,
    which is not retried.
    """

    def answer(request: Request) -> Any:
        text = get_last_message(request)
        if text not in lines:
            return refuse(f"No line answers {text!r}")
        reply = lines[text]
        called = CALLED.findall(reply) if isinstance(reply, str) else []
        if unknown := set(called) - set(get_offered(request)):
            return refuse(f"The prompt does not offer {', '.join(sorted(unknown))}")
        return reply

    return answer


def meet(count: int, script: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """Return a script that answers once so many requests are in flight at the same time."""
    barrier = threading.Barrier(count, timeout=30)

    def answer(request: Request) -> Any:
        barrier.wait()
        return script(request)

    return answer


def write_object(model: ChatSegmind, name: str, **fields: Any) -> str:
    """Return an object as the model's default method of structured output asks for it."""
    if model._get_settings().takes_format("json_schema"):
        return json.dumps(fields)
    return render_calls([tool_call(name=name, args=fields, id=None)])


def refuse(reason: str) -> dict[str, Any]:
    """Return an error that is not retried."""
    return {"status": 400, "body": {"error": reason}}


def write_answer(api_format: APIFormat, text: str = "Hello!", **headers: str) -> dict[str, Any]:
    """Return a response with a usage of 10 and 5 tokens and additional headers."""
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return {
        "status": 200,
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
        "body": FORMATS[api_format].render(Completion(text, usage=usage)),
    }


def ask(text: str) -> dict[str, Any]:
    """Return a question as the input of an agent or a graph."""
    return {"messages": [HumanMessage(text)]}


def get_last_message(request: Request) -> str:
    """Return the last message's text without the random ids of calls."""
    return CALL_ID.sub("", request.last_message)


def get_offered(request: Request) -> list[str]:
    """Return the names of the functions that a prompt describes, in order."""
    system = "\n".join(m["content"] for m in request.messages if m["role"] == "system")
    return OFFERED.findall(system)


def show_result(text: str, name: str, **attributes: str | int) -> str:
    """Return a tool's result as the model sees it, without the id of its call."""
    written = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f'<tool_result name="{name}"{written}>\n{text}\n</tool_result>'


class Starts(BaseCallbackHandler):
    """Records the arguments of models' starts, and counts the starts of tools."""

    def __init__(self) -> None:
        self.models: list[dict[str, Any]] = []
        self.tools = 0

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        self.models.append(kwargs)

    def on_tool_start(self, *args: Any, **kwargs: Any) -> None:
        self.tools += 1


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def get_weather(city: str) -> str:
    """Return the weather in a city."""
    return f"{city} is sunny."


ADDING = {"1 + 1?": "[add(a=1, b=1)]", show_result("2", "add"): "Two."}
"""Lines to `play`: a question, a call of `add`, and the answer."""
