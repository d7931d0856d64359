"""Addresses of hosts: found without blocking others, tried in an order, each for a time."""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeVar

Result = TypeVar("Result")

MAX_ADDRESS_SECONDS = 5.0
"""Time for one address of a host that has others."""

ANSWERING_CACHE_SIZE = 1_000
"""Hosts of which the address that answered last is known."""

Address = tuple[str, int]
"""A host or an IP address, and a port."""

_answering: dict[Address, Address] = {}


def find_addresses(host: Address) -> list[Address]:
    """Return a host's addresses, the one that answered last first.

    Raises:
        OSError: It has none. The operating system decides how long that takes.
    """
    if is_ip_address(host[0]):
        return [host]
    found = socket.getaddrinfo(*host, type=socket.SOCK_STREAM)
    addresses = dict.fromkeys((str(address[0]), int(address[1])) for *_, address in found)
    return sorted(addresses, key=lambda address: address != _answering.get(host))


def is_ip_address(host: str) -> bool:
    """Whether a host is an address, which needs no look-up."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):
            socket.inet_pton(family, host)
            return True
    return False


def remember_answer(host: Address, address: Address) -> None:
    """Remember that an address of a host answered: it is tried first from now on."""
    if len(_answering) >= ANSWERING_CACHE_SIZE:
        _answering.clear()
    _answering[host] = address


def share_time(seconds: float, addresses: Sequence[Address]) -> float:
    """Return how long the first of these addresses may take of the time for all."""
    # The operating system would give each address all of the time.
    return min(seconds / len(addresses), MAX_ADDRESS_SECONDS) if len(addresses) > 1 else seconds


class LookUps:
    """The look-ups of one event loop: calls that need the same host share one."""

    def __init__(self) -> None:
        self._running: dict[Address, asyncio.Task[list[Address]]] = {}

    async def find(self, host: Address) -> list[Address]:
        """Return a host's addresses, as `find_addresses` does.

        Raises:
            OSError: It has none.
        """
        if is_ip_address(host[0]):
            return [host]
        look_up = self._running.get(host)
        if look_up is None:
            look_up = asyncio.create_task(run_in_own_thread(partial(find_addresses, host)))
            self._running[host] = look_up
            look_up.add_done_callback(partial(self._end, host))
        return await asyncio.shield(look_up)

    def _end(self, host: Address, look_up: "asyncio.Task[list[Address]]") -> None:
        self._running.pop(host, None)
        if not look_up.cancelled():
            look_up.exception()  # all its callers may be gone


async def run_in_own_thread(work: Callable[[], Result]) -> Result:
    """Return what a function returns that blocks.

    The threads of the event loop's own executor may all be busy.

    Raises:
        OSError: No thread can be started, or the function raises it.
    """
    executor = ThreadPoolExecutor(1, thread_name_prefix="segmind")
    try:
        try:
            result = asyncio.get_running_loop().run_in_executor(executor, work)
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, str(error)) from None
        return await result
    finally:
        executor.shutdown(wait=False)
