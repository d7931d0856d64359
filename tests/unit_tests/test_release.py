"""What is published is complete: what `make release_check` refuses, and the page on PyPI."""

from email.message import Message
from pathlib import Path

import pytest

from tools.pypi_readme import ReadmeHook
from tools.release_check import FIELDS, check_metadata, compare, find_pythons, list_tracked

ROOT = Path(__file__).parents[2]
SOURCE = "https://example.com/project"


@pytest.fixture
def metadata() -> Message:
    """Return complete metadata of the first release."""
    message = Message()
    for field in FIELDS:
        message[field] = "Source, https://example.com" if field == "Project-URL" else "something"
    message["Version"] = "0.1.0"
    return message


def test_complete_metadata_can_be_published(metadata, capsys) -> None:
    """With the tag of its version."""
    check_metadata(metadata, "v0.1.0")
    assert capsys.readouterr().out == "The metadata of 0.1.0 is complete.\n"


@pytest.mark.parametrize("field", ["License-Expression", "Requires-Python", "Summary"])
def test_missing_field_is_refused(metadata, field) -> None:
    """PyPI accepts a package without it."""
    del metadata[field]
    with pytest.raises(SystemExit, match=f"lacks {field}"):
        check_metadata(metadata, None)


def test_version_without_a_section_in_the_changelog_is_refused(metadata) -> None:
    """The version was raised, and nobody said what is new."""
    metadata.replace_header("Version", "99.0.0")
    with pytest.raises(SystemExit, match=r"no section on 99\.0\.0"):
        check_metadata(metadata, None)


def test_tag_of_another_version_is_refused(metadata) -> None:
    """The release would have another number than its tag."""
    with pytest.raises(SystemExit, match=r"The tag v0\.2\.0 is not the version's"):
        check_metadata(metadata, "v0.2.0")


def test_release_needs_the_address_of_its_source(metadata, capsys) -> None:
    """Before a release, it is only a hint."""
    metadata.replace_header("Project-URL", "Homepage, https://example.com")
    with pytest.raises(SystemExit, match="lacks the URL `Source`"):
        check_metadata(metadata, "v0.1.0")
    check_metadata(metadata, None)
    assert "Before the first release" in capsys.readouterr().out


def test_archive_has_exactly_the_expected_files() -> None:
    """A file that is missing, and one that should not ship."""
    with pytest.raises(SystemExit, match=r"lacks \['b'\]; it should not have \['c'\]"):
        compare("The wheel", {"a", "c"}, {"a", "b"})


def test_expected_files_are_those_of_git() -> None:
    """A file that is not committed does not belong to a release."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a clone")
    files = list_tracked(("langchain_segmind", "*.md"))
    assert {"README.md", "langchain_segmind/py.typed"} <= files
    assert not any(name.startswith(("docs", "tests")) for name in files)


def test_pythons_are_ordered_by_version(tmp_path, monkeypatch) -> None:
    """The first and the last are the lowest and the newest; one that does not run is left out."""
    for name, code in {"python3.9": 0, "python3.11": 0, "python3.12": 1, "python3.14": 0}.items():
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\nexit {code}\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [Path(path).name for path in find_pythons()] == ["python3.11", "python3.14"]


def test_links_of_the_readme_work_on_pypi() -> None:
    """They lead to the files of the release; other links stay."""
    metadata = {"version": "0.1.0", "urls": {"Source": f"{SOURCE}/"}}
    ReadmeHook(str(ROOT), {}).update(metadata)
    text = metadata["readme"]["text"]
    assert f"]({SOURCE}/blob/v0.1.0/docs/models.md)" in text
    assert "](https://www.segmind.com/models)" in text
    assert "](docs/" not in text


def test_readme_is_unchanged_while_there_is_no_address() -> None:
    """A build before the first release does not invent one."""
    metadata = {"version": "0.1.0", "urls": {}}
    ReadmeHook(str(ROOT), {}).update(metadata)
    assert metadata["readme"] == {
        "content-type": "text/markdown",
        "text": (ROOT / "README.md").read_text(encoding="utf-8"),
    }
