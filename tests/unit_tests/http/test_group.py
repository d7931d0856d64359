"""Requests of one call end together."""

import asyncio
import threading

import pytest

from langchain_segmind._http.group import GroupEndedError, RequestGroup

MAX_SECONDS = 20
"""How long a failing test waits."""


def join_threads() -> None:
    """Wait for the threads of a test."""
    for thread in threading.enumerate():
        if thread.name == "test":
            thread.join(MAX_SECONDS)


def test_join_waits_for_threads_that_wait_unless_the_group_has_ended() -> None:
    """After the end, a thread at a rate limiter is left behind, and sends nothing."""
    group, turn, waits = RequestGroup(), threading.Event(), threading.Event()
    outcomes = []

    def work() -> None:
        try:
            with group.waiting():
                waits.set()
                turn.wait(MAX_SECONDS)
        except GroupEndedError:
            outcomes.append("not sent")
        else:
            outcomes.append("sent")

    group.start(work, "test")
    assert waits.wait(MAX_SECONDS)
    joining = threading.Thread(target=group.join)
    joining.start()
    joining.join(0.1)
    assert joining.is_alive()
    group.end()
    joining.join(MAX_SECONDS)
    assert not joining.is_alive()
    assert outcomes == []
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "test")
    turn.set()
    join_threads()
    assert outcomes == ["not sent"]


def test_a_thread_that_begins_after_the_end_does_nothing() -> None:
    """Its start was interrupted, and nobody waits for it."""
    group, done = RequestGroup(), []
    group.end()
    group.start(lambda: done.append(None), "test")
    join_threads()
    group.join()
    assert done == []


def test_join_leaves_no_thread(monkeypatch) -> None:
    """One that has finished its work can still be running for a moment."""
    group, count = RequestGroup(), RequestGroup._count

    def count_late(group, **changes) -> None:
        count(group, **changes)
        if changes == {"working": -1}:
            threading.Event().wait(0.1)

    monkeypatch.setattr(RequestGroup, "_count", count_late)
    group.start(lambda: None, "test")
    group.join()
    assert "test" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("is_started", [True, False], ids=["after", "before"])
def test_an_interrupted_start_neither_loses_nor_awaits_a_thread(monkeypatch, is_started) -> None:
    """Ctrl+C can come before or after the thread exists."""
    group, go, done = RequestGroup(), threading.Event(), []
    start = threading.Thread.start

    def interrupt(thread: threading.Thread) -> None:
        if is_started:
            start(thread)
            assert running.wait(MAX_SECONDS)
        raise KeyboardInterrupt

    running = threading.Event()

    def work() -> None:
        running.set()
        go.wait(MAX_SECONDS)
        done.append(None)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupt)
        with pytest.raises(KeyboardInterrupt):
            group.start(work, "test")
    group.end()
    threading.Timer(0.1, go.set).start()
    group.join()
    assert len(done) == int(is_started)


@pytest.mark.parametrize("wait", ["sleep", "limiter"])
async def test_the_end_interrupts_waiting_tasks(wait) -> None:
    """In their sleep and at a rate limiter."""
    group = RequestGroup()

    async def work() -> None:
        if wait == "sleep":
            await group.asleep(MAX_SECONDS)
        async with group.awaiting():
            await asyncio.sleep(MAX_SECONDS)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    group.end()
    with pytest.raises(GroupEndedError):
        await asyncio.wait_for(task, MAX_SECONDS / 4)
    with pytest.raises(GroupEndedError):
        await group.asleep(MAX_SECONDS)
    with pytest.raises(GroupEndedError):
        group.sleep(MAX_SECONDS)


def test_the_end_interrupts_a_sleeping_thread(monkeypatch) -> None:
    """It waits for another attempt, which is not made."""
    group, sleeps, outcomes, count = RequestGroup(), threading.Event(), [], RequestGroup._count

    def count_sleeper(group, **changes) -> None:
        count(group, **changes)
        sleeps.set()

    def work() -> None:
        try:
            group.sleep(MAX_SECONDS)
        except GroupEndedError:
            outcomes.append("interrupted")

    monkeypatch.setattr(RequestGroup, "_count", count_sleeper)
    thread = threading.Thread(target=work)
    thread.start()
    assert sleeps.wait(MAX_SECONDS)
    group.end()
    thread.join(MAX_SECONDS / 4)
    assert outcomes == ["interrupted"]


async def test_a_group_can_be_ended_again_while_a_task_is_being_interrupted() -> None:
    """A cancellation can follow an error while a rate limiter still leaves its queue."""
    group, is_interrupted, leave = RequestGroup(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        async with group.awaiting():
            try:
                await asyncio.sleep(MAX_SECONDS)
            finally:
                is_interrupted.set()
                await leave.wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    group.end()
    await asyncio.wait_for(is_interrupted.wait(), MAX_SECONDS)
    group.end()
    leave.set()
    with pytest.raises(GroupEndedError):
        await asyncio.wait_for(task, MAX_SECONDS)


async def test_a_timeout_of_a_rate_limiter_is_its_own() -> None:
    """It is no end of the group."""
    group = RequestGroup()
    with pytest.raises(TimeoutError):
        async with group.awaiting():
            raise TimeoutError
    await group.asleep(0)
    group.sleep(0)
