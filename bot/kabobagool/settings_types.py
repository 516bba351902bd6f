"""How the text of one variable becomes a value, and what is said when it does not.

The kinds of value that `settings_fields.py` declares: amounts that are never a float, switches that know six words, addresses,
hosts. Each refuses with a sentence that ends in the fix, because that sentence is the whole of the documentation somebody reads
while a deployment is failing.
"""

import re
from decimal import Decimal
from typing import Annotated, Any, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

SWITCH_WORDS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
CURVE_ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""Private keys are 1 up to below this number (secp256k1)."""
MAX_TOKEN_ID: Final = 2**256 - 1


def variable(default: Any, description: str, *, unit: str = "", above: str = "", shown: str = "", **bounds: Any) -> Any:
    """Declare one variable. `unit` as shown in the reference, `above` what to say when it is too large, `shown` the default in words."""
    extra = {"unit": unit, "above": above, "shown": shown}
    return Field(default, description=description, json_schema_extra={k: v for k, v in extra.items() if v}, **bounds)


def _switch(value: object) -> object:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word not in SWITCH_WORDS:
        raise ValueError("is neither yes nor no: write true or false (1, 0, yes and no are understood too)")
    return SWITCH_WORDS[word]


def _exact(value: object) -> object:
    if isinstance(value, float | bool):
        raise ValueError("amounts are given as text or whole numbers, never as a float")
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _split_url(text: str, schemes: tuple[str, ...]) -> SplitResult:
    """Split a URL. ValueError when the scheme is another one, the host is missing or the port is no number."""
    example = f"write it like {schemes[0]}://host.example"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"is not a URL: {example}") from None
    if parts.scheme not in schemes or not host or re.search(r"\s", text):
        raise ValueError(f"is not a URL that starts with {' or '.join(scheme + '://' for scheme in schemes)}: {example}")
    return parts


def _plain_url(text: str, schemes: tuple[str, ...]) -> str:
    parts = _split_url(text, schemes)
    if parts.username is not None or parts.password is not None:
        raise ValueError("carries a user name or password: take them out, the venue knows neither")
    return text.rstrip("/")


def _http_url(text: str) -> str:
    return _plain_url(text, ("https", "http"))


def _socket_url(text: str) -> str:
    return _plain_url(text, ("wss", "ws"))


def _proxy_url(secret: SecretStr) -> SecretStr:
    _split_url(secret.get_secret_value(), ("http", "https", "socks5", "socks5h"))
    return secret


def _redis_url(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not text.startswith(("unix://", "redis+sentinel://", "rediss+sentinel://")):  # those are no usual URLs; whoever connects reads them
        _split_url(text, ("redis", "rediss"))
    return secret


def _private_key(secret: SecretStr) -> SecretStr:
    digits = secret.get_secret_value().removeprefix("0x").removeprefix("0X")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digits):
        raise ValueError("is not a private key: 64 hexadecimal digits (32 bytes), with or without 0x in front")
    if not 0 < int(digits, 16) < CURVE_ORDER:
        raise ValueError("is not a private key: the number is outside the curve; export the key from the wallet again")
    return SecretStr("0x" + digits.lower())


def _address(text: str) -> str:
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", text):
        raise ValueError("is not an address: 0x and 40 hexadecimal digits, as the wallet shows it")
    return text


def _condition_id(text: str) -> str:
    if not re.fullmatch(r"0x[0-9a-fA-F]{64}", text):
        raise ValueError("is not a condition id: 0x and 64 hexadecimal digits; MARKET_SLUG is easier to copy")
    return text.lower()


def _token_id(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,78}", text) or not 0 < int(text) <= MAX_TOKEN_ID:
        raise ValueError("is not a token id: a long decimal number (`clobTokenIds` of the market); MARKET_SLUG is easier to copy")
    return text


def _slug(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", text):
        raise ValueError("is not a slug: lower-case letters, digits and hyphens, the last part of the market's page address")
    return text


def _globs(text: str) -> str:
    globs = [glob.strip() for glob in text.lower().split(",") if glob.strip()]
    if not globs or not all(re.fullmatch(r"(?:[a-z0-9_*?-]|\[!?[a-z0-9_-]+\])+", glob) for glob in globs):
        raise ValueError("is not a list of slug patterns: write it like btc-updown-*,*-election-* with letters, digits, - _ * ? and [ab]")
    return ",".join(globs)


Switch = Annotated[bool, BeforeValidator(_switch)]
"""true/false/1/0/yes/no in any case, nothing else."""
Exact = Annotated[Decimal, BeforeValidator(_exact)]
"""An amount or a time, read from text; a float is refused."""
LowerWord = BeforeValidator(_lower)
UpperWord = BeforeValidator(_upper)
Globs = Annotated[str, AfterValidator(_globs)]
"""Globs on slugs, in lower case, separated by nothing but a comma."""
HttpUrl = Annotated[str, AfterValidator(_http_url)]
SocketUrl = Annotated[str, AfterValidator(_socket_url)]
ProxyUrl = Annotated[SecretStr, AfterValidator(_proxy_url)]
"""A proxy; secret as a whole, for it usually carries a password."""
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
"""A Redis or Valkey server; secret as a whole, for it usually carries a password."""
PrivateKey = Annotated[SecretStr, AfterValidator(_private_key)]
"""Kept as 0x and 64 lower-case digits."""
Address = Annotated[str, AfterValidator(_address)]
ConditionId = Annotated[str, AfterValidator(_condition_id)]
TokenId = Annotated[str, AfterValidator(_token_id)]
Slug = Annotated[str, AfterValidator(_slug)]
