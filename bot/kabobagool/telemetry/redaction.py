"""Secrets out of text, whoever put them there.

A key reaches a log in ways nobody planned: inside an exception of a library, in a header dump, percent-encoded in a proxy
address. So the log does not trust its callers: `logs.py` passes every text through a `Redactor` that knows the secrets' values
and the ways they are commonly written.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, SecretStr

MASK: Final = "***"
HEXADECIMAL: Final = re.compile("[0-9a-fA-F]{32,}")
LEAST_LENGTH: Final = 4
"""Shorter values are not masked: they would blot out ordinary words and are not secrets worth the name."""


class Redactor:
    """Masks the given secrets in texts and in nested data, in the ways they are usually written; hexadecimal ones in any case."""

    __slots__ = ("_keys", "_literals")

    def __init__(self, secrets: Iterable[str]) -> None:
        known = tuple(secrets)
        spellings = {spelling for secret in known for spelling in _spellings(secret) if len(spelling) >= LEAST_LENGTH}
        longest_first = sorted(spellings, key=len, reverse=True)
        self._literals = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        self._keys = tuple(bare.lower() for secret in known if HEXADECIMAL.fullmatch(bare := _without_prefix(secret)))

    def mask(self, text: str) -> str:
        """Put `***` in place of every secret."""
        masked = text if self._literals is None else self._literals.sub(MASK, text)
        # Ignoring case in the pattern of all secrets would cost every log line ten times as much.
        return HEXADECIMAL.sub(self._without_keys, masked) if self._keys else masked

    def _without_keys(self, digits: re.Match[str]) -> str:
        return MASK if any(key in digits[0].lower() for key in self._keys) else digits[0]

    def mask_value(self, value: object) -> object:
        """Mask data for a log: numbers and switches stay, texts are masked, everything else is masked as the text it prints as."""
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            return int(value) if self.mask(str(int(value))) == str(int(value)) else MASK
        if isinstance(value, Mapping):
            return {self.mask(str(key)): self.mask_value(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.mask_value(item) for item in value]
        return self.mask(str(value))


def settings_secrets(settings: BaseModel) -> tuple[str, ...]:
    """The values that must never be seen: every SecretStr of the settings, and of a URL only its user, password and their header form."""
    secrets = [value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)]
    return tuple(part for secret in secrets for part in (_credentials(secret) if "://" in secret else (secret,)))


def _credentials(url: str) -> tuple[str, ...]:
    parts = urlsplit(url)
    user, password = parts.username or "", parts.password or ""
    plain = f"{unquote(user)}:{unquote(password)}"
    basic = (base64.b64encode(plain.encode()).decode(),) if password else ()
    return tuple(part for part in (user, password, unquote(user), unquote(password), *basic) if part)


def _spellings(secret: str) -> set[str]:
    """The secret as itself, in a repr, in JSON, in a URL; a hexadecimal key also without 0x and as a number."""
    bare = _without_prefix(secret)
    numbers = {str(int(bare, 16))} if HEXADECIMAL.fullmatch(bare) else set()
    written = {repr(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    in_a_url = {quote(secret), quote(secret, safe="")}
    lower_escapes = {re.sub("%..", lambda escape: escape[0].lower(), url) for url in in_a_url}
    return {secret, bare} | written | in_a_url | lower_escapes | numbers


def _without_prefix(secret: str) -> str:
    return secret[2:] if secret[:2] in ("0x", "0X") else secret
