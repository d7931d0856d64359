"""What tests of agents share: scripts that answer as a model that reads its prompt would."""

import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from langchain_segmind.gateway import Request

CALL_ID = re.compile(r' id="call_\w+"')
OFFERED = re.compile(r"^(\w+)\(", re.MULTILINE)
"""The names of functions in a prompt."""
CALLED = re.compile(r"(?:^\[|\), )(\w+)\(")
"""The names of functions in a list of calls."""


def play(lines: Mapping[str, Any]) -> Callable[[Request], Any]:
    """Answer what was said last as the lines say.

    Whatever else is said, or a call of a function that the prompt does not offer, is refused
    with a 400, which nobody tries again. The random ids of calls are left out of what was said.
    """

    def answer(request: Request) -> Any:
        said = get_last_message(request)
        if said not in lines:
            return refuse(f"No line answers {said!r}")
        reply = lines[said]
        called = CALLED.findall(reply) if isinstance(reply, str) else []
        if unknown := set(called) - set(get_offered(request)):
            return refuse(f"The prompt does not offer {', '.join(sorted(unknown))}")
        return reply

    return answer


def meet(count: int, script: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """Answer once so many requests are under way at the same time."""
    barrier = threading.Barrier(count, timeout=30)

    def answer(request: Request) -> Any:
        barrier.wait()
        return script(request)

    return answer


def refuse(reason: str) -> dict[str, Any]:
    """Refuse a request for good."""
    return {"status": 400, "body": {"error": reason}}


def write_answer(text: str = "Hello!", **headers: str) -> dict[str, Any]:
    """Write a raw answer of 10 and 5 tokens, with headers of one's own."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return {
        "status": 200,
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
        "body": {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage},
    }


def get_last_message(request: Request) -> str:
    """Get what was said last, without the random ids of calls."""
    return CALL_ID.sub("", request.last_message)


def get_offered(request: Request) -> list[str]:
    """Get the names of the functions that a prompt offers, in order."""
    system = "\n".join(m["content"] for m in request.messages if m["role"] == "system")
    return OFFERED.findall(system)


def show_result(text: str, name: str, **attributes: str | int) -> str:
    """Write a tool's result as the model is to see it, without the id of its call."""
    written = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f'<tool_result name="{name}"{written}>\n{text}\n</tool_result>'
