"""Images in messages: read from every spelling of LangChain's, and measured."""

import base64
import binascii
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

IMAGE_BLOCKS = frozenset({"image", "image_url", "input_image"})
"""Block types of images: LangChain's and Anthropic's, OpenAI's, and those of its Responses API."""

FILE_BLOCKS = frozenset({"file", "media"})
"""Block types of files, which are images by their media type."""

MEDIA_TYPES: Mapping[str, str] = {
    "iVBORw0KGgo": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
}
"""Media types by how the data begins in Base64."""

STANDARD_ALPHABET = str.maketrans("-_", "+/")
"""Changes the Base64 of URLs, which need not be padded, into that of JSON."""

IMAGE_TYPE = re.compile(r"image/[a-z0-9.+-]+")

WEB_URL = re.compile(r"https?://[^\s/]", re.IGNORECASE)

MAX_HEADER_CHARS = 262_144
"""How much of an image's Base64 is read for its size: a JPEG has its metadata before it."""

JPEG_SIZE_MARKERS = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""Second bytes of the JPEG markers that a size follows."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image in a conversation: its data, or where it is.

    Attributes:
        media_type: The type of the data, such as "image/png".
        data: The data in Base64.
        url: The address on the web; empty if there is data.
        detail: How closely OpenAI's models look at it: "low", "high" or "auto".
    """

    media_type: str = ""
    data: str = field(default="", repr=False)
    url: str = ""
    detail: str | None = None


def is_image(block: Any) -> bool:
    """Whether a block is an image, or a file that is one."""
    if not isinstance(block, Mapping):
        return False
    kind, media_type = str(block.get("type")), block.get("mime_type")
    is_image_file = isinstance(media_type, str) and media_type.lower().startswith("image/")
    return kind in IMAGE_BLOCKS or (kind in FILE_BLOCKS and is_image_file)


def has_url(block: Mapping[str, Any]) -> bool:
    """Whether the image in a block is behind a URL."""
    with suppress(ValueError):
        return bool(read_image(block).url)
    return False


def read_image(block: Mapping[str, Any]) -> Image:
    """Return the image in a block. Nothing is downloaded.

    Args:
        block: An image of LangChain's (`base64` or `url`; older: `source_type`), OpenAI's
            (`image_url`, a string or an object) or Anthropic's (`source`).

    Raises:
        ValueError: There is no image that can be sent; the message completes "Message 0 ...".
    """
    link = block.get("image_url")
    if link is not None:
        inner = link if isinstance(link, Mapping) else {"url": link, **block}
        return _read_url(inner.get("url"), _get_detail(inner))
    source = block.get("source")
    fields = source if isinstance(source, Mapping) else block
    data = fields.get("base64") or fields.get("data")
    if data is not None:
        media_type = fields.get("media_type") or fields.get("mime_type")
        return _read_base64(data, media_type, _get_detail(block))
    if fields.get("url") is not None:
        return _read_url(fields["url"], _get_detail(block))
    raise ValueError("has an image without Base64 data or URL; Segmind takes no ids of files")


def _get_detail(fields: Mapping[str, Any]) -> str | None:
    extras = fields.get("extras")
    detail = fields.get("detail") or (extras.get("detail") if isinstance(extras, Mapping) else None)
    return detail if isinstance(detail, str) else None


def _read_url(url: Any, detail: str | None) -> Image:
    address = url.strip() if isinstance(url, str) else ""
    if address[:5].lower() == "data:":
        header, _, data = address[5:].partition(",")
        media_type, *options = header.split(";")
        if "base64" not in (option.strip().lower() for option in options):
            raise ValueError("has an image in a data: URI that is not Base64")
        return _read_base64(data, media_type, detail)
    if not WEB_URL.match(address):
        raise ValueError(
            "has an image whose URL does not begin with https://, http:// or data:; pass a file's "
            "content as Base64"
        )
    return Image(url=address, detail=detail)


def _read_base64(data: Any, media_type: Any, detail: str | None) -> Image:
    if not isinstance(data, str):
        raise ValueError(f"has an image whose data is {type(data).__name__!r}, not Base64 text")
    if data[:5].lower() == "data:":
        return _read_url(data, detail)
    data = "".join(data.split())
    if "-" in data or "_" in data:
        data = data.translate(STANDARD_ALPHABET) + "=" * (-len(data) % 4)
    try:
        is_empty = not binascii.a2b_base64(data, strict_mode=True)
    except ValueError:
        is_empty = True
    if is_empty:
        raise ValueError("has an image whose data is empty or not Base64")
    return Image(_read_media_type(media_type, data), data, detail=detail)


def _read_media_type(given: Any, data: str) -> str:
    named = given.partition(";")[0].strip().lower() if isinstance(given, str) else ""
    if not named:
        types = (name for start, name in MEDIA_TYPES.items() if data.startswith(start))
        named = next(types, "")
        if not named:
            raise ValueError("has an image without a media type; pass its mime_type")
    if not IMAGE_TYPE.fullmatch(named):
        raise ValueError(f"has an image of the media type {named!r}, which is not an image's")
    return "image/jpeg" if named == "image/jpg" else named


def read_size(image: Image) -> tuple[int, int] | None:
    """Return the width and height in pixels, from the header of a PNG, GIF, WebP or JPEG.

    Returns:
        None if they are not there, as for a URL.
    """
    head = base64.b64decode(image.data[:MAX_HEADER_CHARS])
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        size = _read_pair(head, 16, "big", 4)
    elif head.startswith((b"GIF87a", b"GIF89a")):
        size = _read_pair(head, 6, "little", 2)
    elif head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        size = _read_webp_size(head)
    elif head.startswith(b"\xff\xd8"):
        size = _read_jpeg_size(head)
    else:
        return None
    return size if size and all(size) else None


def _read_pair(head: bytes, start: int, order: Any, length: int) -> tuple[int, int] | None:
    first, second = head[start : start + length], head[start + length : start + 2 * length]
    if len(second) < length:
        return None
    return int.from_bytes(first, order), int.from_bytes(second, order)


def _read_webp_size(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8X" and (pair := _read_pair(head, 24, "little", 3)):
        return pair[0] + 1, pair[1] + 1
    if kind == b"VP8 " and (pair := _read_pair(head, 26, "little", 2)):
        return pair[0] & 0x3FFF, pair[1] & 0x3FFF
    if kind == b"VP8L" and len(head) >= 25:  # noqa: PLR2004 - the header's length
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None


def _read_jpeg_size(head: bytes) -> tuple[int, int] | None:
    position = 2
    while position + 9 <= len(head) and head[position] == 0xFF:  # noqa: PLR2004 - a marker's first byte
        marker = head[position + 1]
        if marker in JPEG_SIZE_MARKERS:
            pair = _read_pair(head, position + 5, "big", 2)
            return pair and (pair[1], pair[0])
        if marker == 0xFF:  # noqa: PLR2004 - padding
            position += 1
        else:
            position += 2 + max(2, int.from_bytes(head[position + 2 : position + 4], "big"))
    return None
