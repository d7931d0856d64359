"""Objects instead of text: `with_structured_output` with a pydantic class.

make examples            a local gateway answers from a script: no key, no cost
LIVE=1 make examples     Segmind answers; needs SEGMIND_API_KEY
SEGMIND_MODEL=<slug> chooses another model.
"""

import json
import textwrap
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from connection import connect

if TYPE_CHECKING:
    from langchain_segmind.gateway import Request


class Item(BaseModel):
    """One line of an order."""

    product: str
    pieces: int = Field(ge=1)


class Order(BaseModel):
    """An order of a customer."""

    customer: str
    items: list[Item]
    is_urgent: bool = False


MAIL = "Hello, three boxes of tea and a mug, please. I need them tomorrow! Best wishes, Ann"
EMPTY_MAIL = "Hello, thank you for the nice tea. Best wishes, Bob"


def main() -> None:
    """Extract orders from mails, and print them."""
    with connect(reply) as model:
        order = model.with_structured_output(Order).invoke(MAIL)
        print(f"{order.customer} orders:")
        for item in order.items:
            print(f"  {item.pieces} x {item.product}")
        print(f"  urgent: {order.is_urgent}")

        # include_raw=True returns the error of a reply without an order instead of raising it.
        model_with_raw = model.with_structured_output(Order, include_raw=True)
        for mail in (MAIL, EMPTY_MAIL):
            result = model_with_raw.invoke(mail)
            print()
            print(textwrap.fill(f"parsed: {result['parsed']!r}", 79, subsequent_indent="  "))
            print("parsing_error:", str(result["parsing_error"]).partition("\n")[0])
            print(f"credits left: {result['raw'].response_metadata['remaining_credits']}")


def reply(request: "Request") -> str:
    """Answer as a model would, with the fields of the class in JSON."""
    if any(message["content"] == MAIL for message in request.messages):
        items = [{"product": "box of tea", "pieces": 3}, {"product": "mug", "pieces": 1}]
        return json.dumps({"customer": "Ann", "items": items, "is_urgent": True})
    return "There is no order in this mail."


if __name__ == "__main__":
    main()
