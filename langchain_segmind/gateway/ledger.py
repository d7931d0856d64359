"""Who has how many credits: reserve before a run, settle after it, never wrong between."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from threading import Lock
from types import TracebackType
from typing import Self

from langchain_segmind.gateway.pricing import to_credits, to_micros


class InsufficientCreditsError(Exception):
    """A balance does not cover an estimate.

    Attributes:
        balance: Credits not yet spoken for.
        need: Credits that the call is expected to cost.
    """

    def __init__(self, balance: Decimal, need: Decimal) -> None:
        super().__init__(f"a balance of {balance} does not cover {need}")
        self.balance = balance
        self.need = need


@dataclass(slots=True)
class _Account:
    balance: int
    reserved: int = 0


class Reservation:
    """Credits set aside for one run; leaving its `with` block unsettled gives them back."""

    def __init__(self, account: _Account, amount: int, lock: Lock) -> None:
        self._account = account
        self._amount = amount
        self._lock = lock

    def settle(self, cost: int) -> int:
        """Charge the actual cost in place of the estimate.

        Args:
            cost: Micro-credits; more than the estimate is charged in full.

        Returns:
            The balance after the charge, in micro-credits; it may be negative.
        """
        with self._lock:
            self._give_back()
            self._account.balance -= cost
            return self._account.balance

    def release(self) -> None:
        """Give back what was set aside and charge nothing; harmless once settled."""
        with self._lock:
            self._give_back()

    def _give_back(self) -> None:
        self._account.reserved -= self._amount
        self._amount = 0

    def __enter__(self) -> Self:
        """Hold the reservation."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release what was not settled."""
        self.release()


class Ledger:
    """The balances of all keys. Every method may be called from any thread.

    Args:
        api_keys: The keys that have an account.
        opening: Credits that each of them starts with.

    Raises:
        ValueError: A key is blank, there is none, or the credits are no number.
    """

    def __init__(self, api_keys: Iterable[str], opening: Decimal | float | str) -> None:
        api_keys = list(api_keys)
        if not api_keys or not all(key.strip() for key in api_keys):
            raise ValueError("api_key must name at least one key, and none that is blank")
        self._opening = to_micros(opening)
        self._lock = Lock()
        self._accounts = {key: _Account(self._opening) for key in api_keys}

    def __contains__(self, api_key: object) -> bool:
        """Whether the key has an account."""
        return api_key in self._accounts

    @property
    def api_keys(self) -> list[str]:
        """The keys that have an account, in the order given."""
        return list(self._accounts)

    def balance(self, api_key: str) -> Decimal:
        """The credits left on a key, reservations still included."""
        with self._lock:
            return to_credits(self._accounts[api_key].balance)

    def reserved(self, api_key: str) -> Decimal:
        """The credits set aside for runs under way."""
        with self._lock:
            return to_credits(self._accounts[api_key].reserved)

    def set_balance(self, api_key: str, amount: Decimal | float | str) -> None:
        """Give a key a new balance; a key without an account gets one."""
        balance = to_micros(amount)
        with self._lock:
            self._accounts.setdefault(api_key, _Account(balance)).balance = balance

    def reserve(self, api_key: str, estimate: int) -> Reservation:
        """Set credits aside before a run.

        Args:
            api_key: Whose credits.
            estimate: Micro-credits that the run is expected to cost at most.

        Returns:
            The reservation, to be settled or released.

        Raises:
            InsufficientCreditsError: What is not yet spoken for is less than the estimate.
        """
        with self._lock:
            account = self._accounts[api_key]
            free = account.balance - account.reserved
            if free < estimate:
                raise InsufficientCreditsError(to_credits(free), to_credits(estimate))
            account.reserved += estimate
        return Reservation(account, estimate, self._lock)

    def reset(self) -> None:
        """Give every key its opening balance; runs under way charge nobody any more."""
        with self._lock:
            self._accounts = {key: _Account(self._opening) for key in self._accounts}
