"""The balance of each API key: credits are reserved before a call and charged after it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from langchain_segmind.gateway.contract import RefusedError, format_insufficient_credits
from langchain_segmind.gateway.pricing import parse_credits


@dataclass(slots=True)
class _Account:
    balance: Decimal
    reserved: Decimal = Decimal(0)


class Ledger:
    """The balances of all API keys, which start with `opening` credits.

    Only the event loop's thread reserves and charges; the other methods work from any thread.

    Raises:
        ValueError: No key is given, a key is blank, or `opening` is not a number.
    """

    def __init__(self, api_keys: Iterable[str], opening: Decimal | float | str) -> None:
        api_keys = list(api_keys)
        if not api_keys or not all(key.strip() for key in api_keys):
            raise ValueError("api_key needs at least one key, and no key can be blank")
        self._opening = parse_credits(opening)
        self._accounts = {key: _Account(self._opening) for key in api_keys}

    @property
    def api_keys(self) -> list[str]:
        """The keys that have an account, in the order given."""
        return list(self._accounts)

    def balance(self, api_key: str) -> Decimal:
        """Return the credits of a key; reserved credits are still included."""
        return self._accounts[api_key].balance

    def reserved(self, api_key: str) -> Decimal:
        """Return the credits reserved for calls in progress."""
        return self._accounts[api_key].reserved

    def set_balance(self, api_key: str, amount: Decimal | float | str) -> None:
        """Set the credits of a key; an unknown key gets an account."""
        balance = parse_credits(amount)
        self._accounts.setdefault(api_key, _Account(balance)).balance = balance

    @contextmanager
    def reserve(self, api_key: str, estimate: Decimal) -> Iterator[Callable[[Decimal], Decimal]]:
        """Reserve credits for a call until the `with` block exits.

        Yields:
            A function that charges the actual cost, in full even if it exceeds the estimate,
            and returns the balance, which can be negative.

        Raises:
            RefusedError: 406 if the unreserved credits do not cover the estimate.
        """
        account = self._accounts[api_key]
        free = account.balance - account.reserved
        if free < estimate:
            raise RefusedError(406, format_insufficient_credits(free, estimate))
        account.reserved += estimate

        def charge(cost: Decimal) -> Decimal:
            account.balance -= cost
            return account.balance

        try:
            yield charge
        finally:
            account.reserved -= estimate

    def reset(self) -> None:
        """Give every key its opening balance; calls in progress are no longer charged."""
        self._accounts = {key: _Account(self._opening) for key in self._accounts}
