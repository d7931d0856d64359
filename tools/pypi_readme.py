"""Makes the links of README.md absolute for PyPI, which shows the page without the project.

Hatchling calls it at each build. The links lead to the release's tag in the repository that
`[project.urls]` names as `Source`; without one, they stay as they are.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

RELATIVE_LINK = re.compile(r"(?<=\]\()(?!https?://|#)")


class ReadmeHook(MetadataHookInterface):
    """Sets the field `readme`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the text that PyPI shows."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        if source := metadata["urls"].get("Source"):
            text = RELATIVE_LINK.sub(f"{source.rstrip('/')}/blob/v{metadata['version']}/", text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
