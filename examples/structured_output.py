"""Objects instead of texts: `with_structured_output` with a pydantic class.

make examples            a script answers through the local gateway: no key, no cost
LIVE=1 make examples     the same against Segmind, with SEGMIND_API_KEY set
"""

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
    """What a customer orders."""

    customer: str
    items: list[Item]
    is_urgent: bool = False


MAIL = "Hello, three boxes of tea and a mug, please. I need them tomorrow! Best wishes, Ann"
EMPTY_MAIL = "Hello, thank you for the nice tea. Best wishes, Bob"


def main() -> None:
    """Read orders out of mails."""
    with connect(reply, temperature=0) as model:
        order = model.with_structured_output(Order).invoke(MAIL)
        print(f"{order.customer} orders:")
        for item in order.items:
            print(f"  {item.pieces} x {item.product}")
        print(f"  urgent: {order.is_urgent}")

        # With the reply beside the object, there is no exception for a reply that does not fit.
        careful_model = model.with_structured_output(Order, include_raw=True)
        for mail in (MAIL, EMPTY_MAIL):
            result = careful_model.invoke(mail)
            print(f"\nparsed: {result['parsed']!r}")
            print(f"parsing_error: {result['parsing_error']}")
            print(f"credits left: {result['raw'].response_metadata['remaining_credits']}")


def reply(request: "Request") -> str:
    """Answer as GPT-4 Turbo would: by a call of the class, since it is told to."""
    if any(message["content"] == MAIL for message in request.messages):
        items = [{"product": "box of tea", "pieces": 3}, {"product": "mug", "pieces": 1}]
        return f"[Order(customer='Ann', items={items}, is_urgent=True)]"
    return "There is no order in this mail."


if __name__ == "__main__":
    main()
