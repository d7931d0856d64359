"""Small images, and one image in every spelling of LangChain's."""

import base64
import struct
from typing import Any

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
DATA = base64.b64encode(PNG).decode()
URL = "https://host.example/cat.png"


def create_png(width: int, height: int) -> str:
    """Return the header of a PNG of this size, in Base64."""
    header = b"IHDR" + struct.pack(">II", width, height) + b"\x08\x06\x00\x00\x00"
    return base64.b64encode(PNG[:8] + struct.pack(">I", 13) + header).decode()


BLOCKS: dict[str, Any] = {
    "v1": {"type": "image", "base64": DATA, "mime_type": "image/png"},
    "v1 without a type": {"type": "image", "base64": DATA},
    "v0": {"type": "image", "source_type": "base64", "data": DATA, "mime_type": "image/png"},
    "OpenAI": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}},
    "OpenAI, string": {"type": "image_url", "image_url": f"data:image/png;base64,{DATA}"},
    "OpenAI Responses": {"type": "input_image", "image_url": f"data:image/png;base64,{DATA}"},
    "Anthropic": {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": DATA},
    },
    "wrapped": {
        "type": "non_standard",
        "value": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}},
    },
    "data URI as v1 URL": {"type": "image", "url": f"DATA:image/png;name=a;base64,{DATA}"},
    "data URI as data": {"type": "image", "base64": f"data:image/png;base64,{DATA}"},
    "media": {"type": "media", "data": DATA, "mime_type": "image/png"},
    "file": {"type": "file", "base64": DATA, "mime_type": "IMAGE/png"},
    "line feeds": {"type": "image", "base64": base64.encodebytes(PNG).decode()},
}
"""The same PNG, by the name of its spelling."""

URL_BLOCKS: dict[str, Any] = {
    "v1": {"type": "image", "url": URL},
    "v0": {"type": "image", "source_type": "url", "url": URL, "mime_type": "image/png"},
    "OpenAI": {"type": "image_url", "image_url": {"url": URL}},
    "OpenAI, string": {"type": "image_url", "image_url": URL},
    "Anthropic": {"type": "image", "source": {"type": "url", "url": URL}},
}
"""The same URL, by the name of its spelling."""
