"""The balance that the account endpoint reports.

Source: https://docs.segmind.com/api-reference/account-and-billing-apis
"""

from dataclasses import dataclass

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._api.errors import create_error
from langchain_segmind._api.headers import parse_number
from langchain_segmind._api.json_body import parse_json
from langchain_segmind.exceptions import SegmindResponseError


@dataclass(frozen=True, slots=True)
class SegmindCredits:
    """An account's balance, in credits (1 credit = 1 US dollar).

    Attributes:
        credits: Purchased credits. Can be negative.
        free_credits: Free credits.

    Source: https://docs.segmind.com/api-reference/account-and-billing-apis

    Example:
        ```python
        from langchain_segmind import SegmindCredits

        balance = SegmindCredits(credits=4.5, free_credits=0.5)
        assert balance.total == 5.0
        ```
    """

    credits: float
    free_credits: float

    @property
    def total(self) -> float:
        """Purchased and free credits together."""
        return self.credits + self.free_credits


def create_credits(response: APIResponse) -> SegmindCredits:
    """Return the balance in a response of the account endpoint.

    Raises:
        SegmindResponseError: If the response does not contain a balance.
    """
    try:
        balance = parse_json(response.body)
        credits_ = parse_number(str(balance["credits"]))
        free_credits = parse_number(str(balance.get("free-credits", 0)))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        credits_ = free_credits = None
    if credits_ is None or free_credits is None:
        problem = (
            f"The server answered {response.status_code}, but the body does not contain a balance"
        )
        raise create_error(response, SegmindResponseError, problem)
    return SegmindCredits(credits=credits_, free_credits=free_credits)
