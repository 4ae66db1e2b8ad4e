"""Images for the page: small, inlined as data URIs, and within a budget.

    side <= SMALL     the PNG as it is, its pixels enlarged by the page
    else              scaled to SIDE pixels, as PNG where that is small, else as JPEG

A page of a few dozen images stays below a few megabytes; what goes over the budget is left out, and counted.
"""

from __future__ import annotations

import base64
import importlib.util
import io
from dataclasses import dataclass

__all__ = ["BUDGET", "Thumbnail", "Thumbnails", "has_pillow"]

SMALL, SIDE = 64, 192
BUDGET = 6_000_000
_PNG_MOST = 24_000  # bytes above which a JPEG takes its place
_QUALITY = 85


def has_pillow() -> bool:
    """Whether images can be read at all."""
    return importlib.util.find_spec("PIL") is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """An image as the page shows it.

    Args:
        uri: ``data:image/...;base64,...``
        width: Pixels of the image that is inlined.
        height: Likewise.
        pixelated: Whether its pixels are so few that they are to be seen as squares.
    """

    uri: str
    width: int
    height: int
    pixelated: bool


@dataclass
class Thumbnails:
    """Makes thumbnails while the page has room.

    Args:
        budget: Characters of all data URIs together.
        left_out: Images for which there was no room, or that could not be read.
    """

    budget: int = BUDGET
    left_out: int = 0

    def make(self, data: bytes | None) -> Thumbnail | None:
        """Return the thumbnail of a PNG; None if it is missing, damaged, or the page is full."""
        if data is None:
            self.left_out += 1
            return None
        found = _thumbnail(data)
        if found is None or len(found.uri) > self.budget:
            self.left_out += 1
            return None
        self.budget -= len(found.uri)
        return found


def _thumbnail(data: bytes) -> Thumbnail | None:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            image.load()
            if image.mode not in ("L", "RGB"):
                return None
            if max(image.size) <= SMALL:
                return Thumbnail(uri=_uri("png", data), width=image.width, height=image.height, pixelated=True)
            image.thumbnail((SIDE, SIDE))
            small, kind = io.BytesIO(), "png"
            image.save(small, format="PNG", compress_level=9)
            if small.tell() > _PNG_MOST:
                small, kind = io.BytesIO(), "jpeg"
                image.save(small, format="JPEG", quality=_QUALITY)
            uri = _uri(kind, small.getvalue())
            return Thumbnail(uri=uri, width=image.width, height=image.height, pixelated=False)
    except (OSError, SyntaxError, Image.DecompressionBombError):  # no PNG, damaged, or a bomb
        return None


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
