"""Checks the sdist and the wheel in a folder: their contents, their metadata, and that they run.

`make release_check` builds them and calls this. The release workflow calls it with `--final`: the
version must be the tag's, the metadata must say where the source is, and at least two Pythons must
be there to try.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from email import message_from_string
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
SMOKE = Path(__file__).with_name("smoke.py")

MINOR_VERSIONS = range(11, 20)
"""The Pythons that are looked for."""

WHEEL_SOURCES = ("langchain_segmind", "pytest_segmind.py")
SDIST_SOURCES = (
    *WHEEL_SOURCES,
    *("benchmarks", "docs", "examples", "requirements", "tests", "tools"),
    *("*.md", "LICENSE", "Makefile", "mkdocs.yml", "pyproject.toml", ".gitignore"),
)
METADATA = {"entry_points.txt", "licenses/LICENSE", "METADATA", "RECORD", "WHEEL"}
FIELDS = (
    "Author",
    "Classifier",
    "Description-Content-Type",
    "Keywords",
    "License-Expression",
    "License-File",
    "Project-URL",
    "Requires-Dist",
    "Requires-Python",
    "Summary",
)


def main() -> None:
    """Run all checks; exit with what is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the sdist and the wheel are")
    parser.add_argument("--final", metavar="TAG", help="check that they can be published as a tag")
    options = parser.parse_args()
    [wheel], [sdist] = options.folder.glob("*.whl"), options.folder.glob("*.tar.gz")
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
        [path] = [name for name in names if name.endswith(".dist-info/METADATA")]
        metadata = message_from_string(archive.read(path).decode())
    folder = path.removesuffix("METADATA")
    compare(
        "The wheel", names, {*list_tracked(WHEEL_SOURCES), *(folder + name for name in METADATA)}
    )
    with tarfile.open(sdist) as archive:
        files = {member.name.partition("/")[2] for member in archive if member.isfile()}
    compare("The sdist", files, {*list_tracked(SDIST_SOURCES), "PKG-INFO"})
    check_metadata(metadata, options.final)
    pythons = find_pythons()
    if options.final and len(pythons) < 2:
        sys.exit(f"Only one supported Python is on the path: {pythons[0]}.")
    for python in dict.fromkeys((pythons[0], pythons[-1])):
        check_installation(python, wheel)


def list_tracked(patterns: Iterable[str]) -> set[str]:
    """Return the files that git knows."""
    command = ["git", "ls-files", *(f":(top,glob){name}" for name in patterns)]
    command += [f":(top){name}/" for name in patterns if (ROOT / name).is_dir()]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(listed.stdout.splitlines())


def compare(name: str, found: set[str], expected: set[str]) -> None:
    """Print how many files an archive has; exit if they are not the expected ones."""
    if found != expected:
        sys.exit(
            f"{name} lacks {sorted(expected - found)}; it should not have "
            f"{sorted(found - expected)}."
        )
    print(f"{name} has the {len(found)} files that it should have.")


def check_metadata(metadata: Message, tag: str | None) -> None:
    """Exit if the metadata is incomplete, or the changelog says nothing of the version."""
    if missing := [field for field in FIELDS if field not in metadata]:
        sys.exit(f"The metadata lacks {', '.join(missing)}.")
    version = metadata["Version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if f"\n## [{version}] - " not in changelog:
        sys.exit(f"CHANGELOG.md has no section on {version}.")
    labels = {url.partition(",")[0] for url in metadata.get_all("Project-URL", [])}
    if tag is None:
        if "Source" not in labels:
            print("Before the first release: add the URL `Source` to pyproject.toml.")
    elif tag != f"v{version}":
        sys.exit(f"The tag {tag} is not the version's, v{version}.")
    elif "Source" not in labels:
        sys.exit("The metadata lacks the URL `Source`: add it to pyproject.toml.")
    print(f"The metadata of {version} is complete.")


def find_pythons() -> list[str]:
    """Return the paths of the supported Pythons on this machine, the lowest first."""
    names = [f"python3.{minor}" for minor in MINOR_VERSIONS]
    paths = [path for name in names if (path := shutil.which(name))]
    runs = [subprocess.run([path, "-c", ""], capture_output=True, check=False) for path in paths]
    found = [path for path, run in zip(paths, runs, strict=True) if run.returncode == 0]
    return found or [sys.executable]


def check_installation(python: str, wheel: Path) -> None:
    """Install a wheel into an empty environment, and use it from an empty folder."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder, "venv")
        subprocess.run([python, "-m", "venv", environment], check=True)
        interpreter = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
        quiet = ("--quiet", "--disable-pip-version-check")
        for command in (
            ["-m", "pip", "install", *quiet, wheel.resolve()],
            ["-m", "pip", "check", *quiet],
            ["-I", SMOKE],
            ["-I", "-m", "langchain_segmind"],
            ["-m", "pip", "install", *quiet, f"{wheel.resolve()}[gateway]"],
            ["-I", "-m", "langchain_segmind.gateway", "--help"],
        ):
            run = subprocess.run(
                [interpreter, *command],
                cwd=folder,
                env=clean,
                capture_output=True,
                text=True,
                check=False,
            )
            if run.returncode:
                shown = " ".join(map(str, command))
                sys.exit(f"{python}: `python {shown}` failed:\n{run.stdout}{run.stderr}")
    print(f"The wheel installs and runs with {Path(python).name}.")


if __name__ == "__main__":
    main()
