"""What a field of a form or of an address says, where it is to be a whole number."""

from __future__ import annotations

__all__ = ["whole"]

DIGITS = 9


def whole(text: object, least: int, most: int) -> int | None:
    """Return the whole number that a field is; None if it is none, or not from `least` to `most`."""
    if not isinstance(text, str):
        return None
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS):
        return None
    return int(text) if least <= int(text) <= most else None
