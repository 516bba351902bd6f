"""HTML and SVG made of elements that escape whatever they are given, so that a market's title can never become part of the page's code.

`charts.py` and `page.py` build everything with `element`; only what it returns is `Markup`, and only `Markup` is taken as it is.
"""

from html import escape


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


NOTHING = Markup("")


def element(name: str, *children: str, **attributes: str | int | float) -> Markup:
    """`<name ...>children</name>`. Plain text is escaped, `Markup` is not; `class_` is written `class`, `stroke_width` `stroke-width`."""
    written = "".join(f' {_attribute_name(key)}="{escape(_plain(value))}"' for key, value in attributes.items())
    return Markup(f"<{name}{written}>{join(*children)}</{name}>")


def join(*parts: str) -> Markup:
    """Parts one after the other, the plain ones escaped."""
    return Markup("".join(part if isinstance(part, Markup) else escape(_printable(part)) for part in parts))


def _attribute_name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _plain(value: str | int | float) -> str:
    """Coordinates with a tenth of a pixel, which is all a screen can show."""
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return _printable(str(value))


def _printable(text: str) -> str:
    """Without control characters and without marks that turn the direction of writing."""
    return "".join(character if character.isprintable() else " " for character in text)
