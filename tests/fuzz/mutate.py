"""Rubbish made cheaply out of valid messages: random, but shaped like them, so that it gets past the first bracket.

`campaign.py` asks for millions of cases, so nothing here is clever: a message is parsed, a few places in it are spoilt, and it is written
again. What no JSON writer would write (endless digits, NaN, a key twice) stands in as a marked text until the end.
"""

import copy
import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from tests.fuzz.target import Shape

Holder = list[Any] | dict[str, Any]

DIGITS: Final = "9" * 5_000
RAW: Final = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999999", b"1e-999999", b"-1e999999", b"1e99999999999999999999", b"0e999999999", b"-0", b"-0.0",
    b"0.1e1", b"48e-2", b"1E400", b"0.00001", b"0.30000000000000004", b"18446744073709551616", b"-9223372036854775809", b"1.0",
    b'"\\ud800"', b'"\\udfff\\ud800"', b'"\\u0000"', b"tru", b"", b"0x10", b"1_000", b"01", b"'", b'"',
)  # fmt: skip
"""What can be written where a value belongs, and no JSON writer writes."""
BULKY: Final = (
    DIGITS.encode(), b"0." + DIGITS.encode(), b"1." + b"0" * 5_000, b"-" + DIGITS.encode(), b'"' + DIGITS.encode() + b'"',
    b'"0.48' + b"0" * 40_000 + b'"', b'"' + b"0" * 40_000 + b'.48"', b"[" * 3_000,
    b"9" * 300_000, b"0." + b"9" * 300_000,
    b"[" + b"0," * 20_000 + b"0]", b'"' + b"\\u00e9" * 20_000 + b'"',
)  # fmt: skip
VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, 1, -1, 2, 0.5, 0.48, -0.48, 1e308, 1e-308, 10**18, 10**18 + 1, 10**30, 2**63, 2**64, 2**256, -(2**63),
    "", " ", "0", "1", "-1", "-0", "0.48", ".48", "48.", ".", "+0.48", " 0.48", "0.48\n", "0,48", "0.4801", "0.00005", "1.0001", "1.5",
    "1e5", "1e999999", "9e99999999999", "NaN", "sNaN", "-sNaN1", "Infinity", "-inf", "0x1f", "1_000", "٠.٤٨", "4²", "０.４８", "null",
    "true", "None", "1795305600000", "1795305600", "99999999999999999999", "-5", "253402300800000", "1795305999999", "2026-12-01T12:00:00Z",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-12-01", "BUY", "SELL", "buy", "MAKER", "CONFIRMED", "0x", "0xZZ",
    "0x" + "c" * 64, "ſ", "\x00", "\x1b[31m", "a\nb", "<html>", "\U0001f600", "a" * 300,
    [], {}, [[]], [None], {"": None}, ["0.48", "0.52"], {"price": "0.48", "size": "1"}, [0.48, 100],
)  # fmt: skip
"""Values that are a good deal in the wrong place."""
MARK: Final = "\x01raw"
SPLICE_BYTES: Final = (
    b"",
    b"\x00",
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\n",
    b"\r\n",
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"=",
    b"#",
    b"'",
)


class Mutator:
    """Makes cases of one shape out of seeds; the same generator gives the same cases."""

    def __init__(self, seeds: Sequence[bytes], shape: Shape, rng: random.Random) -> None:
        self._seeds = seeds
        self._rng = rng
        self._raw: list[bytes] = []
        self._make: Callable[[bytes], bytes] = {
            Shape.JSON: self._json,
            Shape.LINES: self._lines,
            Shape.TEXT: self._text,
            Shape.BYTES: self._bytes,
        }[shape]

    def case(self) -> bytes:
        """The next one."""
        return self._make(self._rng.choice(self._seeds))

    def _json(self, seed: bytes) -> bytes:
        return self._bytes(seed) if self._rng.random() < 0.06 else self._spoilt(seed)

    def _lines(self, seed: bytes) -> bytes:
        """Mostly one spoilt line among good ones: what is wrong should meet a state that was built up before it."""
        rng, lines = self._rng, seed.split(b"\n")
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            at = rng.randrange(len(lines))
            match rng.randrange(8):
                case 0:
                    lines.insert(at, lines[rng.randrange(len(lines))])
                case 1 if len(lines) > 1:
                    del lines[at]
                case 2:
                    other = rng.randrange(len(lines))
                    lines[at], lines[other] = lines[other], lines[at]
                case 3:
                    lines.insert(at, self._json(rng.choice(rng.choice(self._seeds).split(b"\n"))))
                case _:
                    lines[at] = self._json(lines[at])
        return b"\n".join(lines)

    def _text(self, seed: bytes) -> bytes:
        """Lines of `NAME=value`: a value is swapped for rubbish, or bytes are."""
        rng = self._rng
        if rng.random() < 0.4:
            return self._bytes(seed)
        lines = seed.split(b"\n")
        at = rng.randrange(len(lines))
        name, equals, _ = lines[at].partition(b"=")
        value = (self._bulky() if rng.random() < 0.03 else rng.choice(RAW)) if rng.random() < 0.3 else str(rng.choice(VALUES)).encode()
        lines[at] = rng.choice(
            (name + equals + value, name + equals + b'"' + value, b"export " + lines[at], value, lines[at] + b" #" + value)
        )
        lines.insert(at, rng.choice(lines))
        return b"\n".join(lines)

    def _bytes(self, seed: bytes) -> bytes:
        rng, data = self._rng, bytearray(seed)
        for _ in range(rng.choice((1, 1, 2, 3, 8))):
            at = rng.randrange(len(data) + 1)
            until = min(len(data), at + rng.choice((0, 1, 1, 2, 4, 16, 64)))
            match rng.randrange(6):
                case 0:
                    del data[at:until]
                case 1:
                    data[at:at] = rng.choice(SPLICE_BYTES)
                case 2 if at < len(data):
                    data[at] ^= 1 << rng.randrange(8)
                case 3:
                    data[at:at] = data[at:until] * rng.choice((1, 2, 50))
                case 4:
                    del data[at:]
                case _:
                    other = rng.choice(self._seeds)
                    start = rng.randrange(len(other) + 1)
                    data[at:until] = other[start : start + rng.choice((1, 4, 16, 64))]
        return bytes(data)

    def _spoilt(self, seed: bytes) -> bytes:
        rng = self._rng
        try:
            root: list[Any] = [json.loads(seed)]
        except (ValueError, RecursionError):
            return self._bytes(seed)
        try:
            for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
                self._spoil(*self._place(root))
            return self._written(root[0])
        except (ValueError, RecursionError):  # nested too deeply to be written again, or too many digits
            self._raw = []
            return self._bytes(seed)

    def _place(self, root: list[Any]) -> tuple[Holder, Any]:
        """A container and a key in it, anywhere in the tree."""
        rng = self._rng
        holder: Holder = root
        key: Any = 0
        while True:
            child = holder[key]
            if not isinstance(child, list | dict) or not child or (holder is not root and rng.random() < 0.15):
                return holder, key
            holder = child
            key = rng.randrange(len(child)) if isinstance(child, list) else rng.choice(list(child))

    def _spoil(self, holder: Holder, key: Any) -> None:
        rng, value = self._rng, holder[key]
        if isinstance(value, str) and ("{" in value or "[" in value) and rng.random() < 0.7:
            holder[key] = self._within(value)
            return
        match rng.randrange(12):
            case 0 | 1 | 2:
                holder[key] = self._value()
            case 3:
                holder[key] = self._marked(self._bulky() if rng.random() < 0.04 else rng.choice(RAW))
            case 4 if isinstance(holder, dict):
                del holder[key]
                holder[rng.choice(("", "a", str(key) + "s", str(key).upper()))] = value
            case 4 | 5 if len(holder) > 1:
                del holder[key]
            case 6 if isinstance(holder, dict):
                holder[f"{MARK}dup:{key}"] = rng.choice((value, self._value()))
            case 6:
                holder[key:key] = [value] * rng.choice((1, 1, 2, 40))  # type: ignore[index]
            case 7:
                holder[key] = rng.choice(([value], {"a": value}, str(value), [value, value]))
            case 8:
                holder[key] = self._from_elsewhere(value)
            case _:
                holder[key] = self._nearby(value)

    def _within(self, text: str) -> str:
        """A text with JSON in it, that JSON spoilt."""
        begins = min(at for at in (text.find("{"), text.find("[")) if at >= 0)
        outer, self._raw = self._raw, []
        inner = self._spoilt(text[begins:].encode("utf-8", "replace"))
        self._raw = outer
        return text[:begins] + inner.decode("utf-8", "replace")

    def _bulky(self) -> bytes:
        """Much of one thing, or something nested as deeply as can just be read."""
        depth = self._rng.randrange(900, 1_000)
        return self._rng.choice((*BULKY, b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth))

    def _value(self) -> Any:
        """A copy: what is put into one tree and spoilt there must not be spoilt in the next."""
        return copy.deepcopy(self._rng.choice(VALUES))

    def _from_elsewhere(self, value: Any) -> Any:
        """A value out of another message, or of the same."""
        try:
            other = [json.loads(self._rng.choice(self._rng.choice(self._seeds).split(b"\n")))]
        except ValueError:
            return value
        holder, key = self._place(other)
        return holder[key]

    def _nearby(self, value: Any) -> Any:
        """A little more, a little less: still plausible, seldom true."""
        rng = self._rng
        if isinstance(value, bool) or value is None:
            return not value
        if isinstance(value, int | float):
            return rng.choice(
                (value + 1, value - 1, -value, value * 1000, value * 10, str(value), value // 2, value + rng.randrange(-5_000, 5_000))
            )
        if isinstance(value, str) and value:
            return self._nearby_text(value)
        return self._value()

    def _nearby_text(self, text: str) -> str:
        rng, at = self._rng, self._rng.randrange(len(text))
        if text.isascii() and text.isdigit() and len(text) < 30 and rng.random() < 0.5:
            return str(max(int(text) + rng.choice((1, -1, 10, -10, 300, -300, 5_000, -5_000, 10**9)), 0))
        if text[at].isdigit():
            return text[:at] + rng.choice("0123456789") + text[at + 1 :]
        return rng.choice(
            (text + rng.choice("0123456789 .e-"), text[:at] + text[at + 1 :], "-" + text, text[::-1], text.upper(), text * 2, text[:at])
        )

    def _marked(self, raw: bytes) -> str:
        self._raw.append(raw)
        return f"{MARK}:{len(self._raw) - 1}"

    def _written(self, tree: Any) -> bytes:
        raw, self._raw = self._raw or [b"0"], []
        written = json.dumps(tree, separators=(",", ":") if self._rng.random() < 0.5 else None).encode()
        if b"\\u0001raw" not in written:
            return written
        written = written.replace(b'"\\u0001rawdup:', b'"')
        return re.sub(rb'"\\u0001raw:(\d+)"', lambda found: raw[int(found[1]) % len(raw)], written)
