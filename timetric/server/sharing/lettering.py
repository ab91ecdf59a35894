"""The letters of PNG pictures: fonts that have the characters of a text. Around Pillow."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from PIL import ImageFont
from PIL.ImageFont import FreeTypeFont

#: Files that Pillow looks for where the machine keeps its fonts: Debian's, macOS', Windows'.
_FILES = (
    "DejaVuSans.ttf",
    "LiberationSans-Regular.ttf",
    "NotoSans-Regular.ttf",
    "Arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "Arial Unicode.ttf",
)

_ABSENT = "\U0010ffff"  # which no font has
_ALIKE = str.maketrans("µμ\u2212", "uu-")  # what NFKD leaves, in ASCII


def lettered(text: str, size: float) -> tuple[str, FreeTypeFont]:
    """A text and a font for it: Pillow's own, which looks alike everywhere, or one of the machine.

    Where no font has all of its characters it is spelled with those that Pillow's has.
    """
    fonts = (_own(size), *(font for name in _FILES if (font := _of_machine(name, size))))
    for font in fonts:
        if all(map(_Glyphs(font).has, text)):
            return text, font
    return _spelled(text, fonts[0]), fonts[0]


def _spelled(text: str, font: FreeTypeFont) -> str:
    """In the font's characters, without accents: m² as m2; what it has not at all is a ?"""
    parts = unicodedata.normalize("NFKD", text).translate(_ALIKE)
    bare = (sign for sign in parts if not unicodedata.combining(sign))
    has = _Glyphs(font).has
    return "".join(sign if has(sign) else "?" for sign in bare)


class _Glyphs:
    """Which characters a font has: those that do not look as one that it lacks."""

    def __init__(self, font: FreeTypeFont) -> None:
        self._font = font

    def has(self, sign: str) -> bool:
        return sign.isspace() or _drawn(self._font, sign) != _drawn(self._font, _ABSENT)


@lru_cache(maxsize=4096)
def _drawn(font: FreeTypeFont, sign: str) -> bytes:
    return bytes(font.getmask(sign))


@lru_cache(maxsize=16)
def _own(size: float) -> FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, FreeTypeFont), "Pillow's wheels have FreeType"
    return font


@lru_cache(maxsize=64)
def _of_machine(name: str, size: float) -> FreeTypeFont | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:  # not there
        return None
