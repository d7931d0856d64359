"""How the cells of `make probe_peers` come about, with this package's own; no peer is needed."""

import pytest

from benchmarks.peers.contenders import CONTENDERS, OURS
from benchmarks.peers.probe_peers import (
    BEGIN,
    END,
    PAGE,
    ROWS,
    render_section,
    replace_section,
)
from benchmarks.peers.probes import MARK, PROBES, Subject, describe, show_seconds
from benchmarks.peers.script_server import serve_script
from benchmarks.peers.server import TEXT

REFUSED = f"`SegmindResponseError`{MARK}"


@pytest.mark.parametrize(
    ("probe", "cells"),
    [
        pytest.param("two_loops", {"two loops": "ok"}, id="two loops"),
        pytest.param("sent_twice", {"requests": "4"}, id="sent twice"),
        pytest.param("threads", {"threads": "0"}, id="threads"),
        pytest.param("copies", {"pickle": "ok", "deepcopy": "ok"}, id="copies"),
        pytest.param(
            "wrong_answers",
            {"html": REFUSED, "no-choices": REFUSED, "error": REFUSED},
            id="wrong answers",
        ),
        pytest.param("misspelt", {"misspelt": "refused: `TypeError`"}, id="misspelt"),
    ],
)
def test_a_probe_says_what_happened(probe, cells) -> None:
    """Each probe fills its rows."""
    with serve_script() as server:
        assert PROBES[probe](Subject(CONTENDERS[OURS], server.origin)) == cells
    assert cells.keys() == ROWS[probe].keys()


def test_requests_without_retries_are_counted() -> None:
    """The server is asked what it has seen."""
    with serve_script() as server:
        cells = PROBES["no_retries"](Subject(CONTENDERS[OURS], server.origin))
    assert cells["no retries"].startswith("1 in 0.")
    assert cells["no retries"].endswith(f": `SegmindAPIError`{MARK}")


def test_every_probe_has_rows() -> None:
    """No probe is left out of the table."""
    assert ROWS.keys() == PROBES.keys()


def test_exceptions_are_named_by_their_package() -> None:
    """Built-in ones and the package's own need no prefix."""
    subject = Subject(CONTENDERS[OURS], "")
    unpacked = subject.observe(lambda: __import__("json").loads("<html>"))
    assert unpacked == "`json.JSONDecodeError`"
    assert subject.name(KeyError()) == "`KeyError`"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.004, "0.00 s"), (0.1, "0.1 s"), (4.81, "4.8 s")],
    ids=["hundredths", "a tenth", "tenths"],
)
def test_durations_are_short(seconds, text) -> None:
    """Tenths, but for what is shorter."""
    assert show_seconds(seconds) == text


def test_texts_are_short() -> None:
    """Their beginning says which text it is."""
    assert describe(TEXT) == "the reply"
    assert describe("") == "returned an empty text"
    assert describe("Rayleigh scattering") == "returned `'Rayleigh sca'`"


def test_the_table_replaces_what_stands_between_the_marks() -> None:
    """What is written by hand stays."""
    cells = {name: {row: name for rows in ROWS.values() for row in rows} for name in ("a", "b")}
    section = render_section(cells, {"a": "1.0", "b": "2.0", "core": "3.0"})
    assert "| a<br>1.0 | b<br>2.0 |" in section
    assert "core 3.0." in section
    page = replace_section(f"By hand.\n{BEGIN}\nold\n{END}\nMore.\n", section)
    assert page == f"By hand.\n{BEGIN}\n\n{section}\n{END}\nMore.\n"
    assert replace_section(page, section) == page


@pytest.mark.parametrize(
    "page", ["", BEGIN, END, f"{END}{BEGIN}"], ids=["neither", "no end", "no begin", "swapped"]
)
def test_a_page_without_the_marks_is_refused(page) -> None:
    """Nothing is written over."""
    with pytest.raises(ValueError, match="needs the lines"):
        replace_section(page, "")


def test_the_page_has_the_marks() -> None:
    """The table has a place."""
    assert replace_section(PAGE.read_text(encoding="utf-8"), "")
