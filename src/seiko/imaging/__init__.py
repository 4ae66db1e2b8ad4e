"""What an image is to the rest of the library: a PNG file, named by its SHA-256.

    pixels in [0, 1]  ->  PNG, 8 bits a channel  ->  SHA-256 of the file  ->  design

Models, oracles, rewards and the report meet here, so that one image has one file and one name everywhere. Pillow is an
extra: importing this package asks for it, importing `seiko` does not.
"""

from __future__ import annotations

try:
    import PIL  # noqa: F401
except ImportError as error:
    raise ImportError("images need Pillow: pip install 'seiko[images]'") from error

from seiko.imaging.images import image_design, pixels_of
from seiko.imaging.png import from_png, to_png

__all__ = ["from_png", "image_design", "pixels_of", "to_png"]
