"""Reads that may be repeated, and the decoding of what they bring.

Every read of the venue goes through a `Reader`: bounded, jittered repeats for what is known to pass by itself, and no repeat for anything
else. It is never used to send an order. `decode` and the `field_*` functions turn replies into integers and name endpoint and field when
they cannot.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Final, Literal, TypeVar

import msgspec

from kabobagool.clock import Clock
from kabobagool.domain.moment import LAST_MILLISECOND
from kabobagool.domain.money import MICRO, Micros, Price
from kabobagool.unreadable import UNREADABLE
from kabobagool.venue.errors import VenueError, retry_after_seconds
from kabobagool.venue.messages import fast_micros, fast_price, fast_tick
from kabobagool.venue.transport import HttpReply, HttpTransport, Params, TransportError, endpoint_of

Scalar = object
"""A number as the venue may send it: as text, as a number, empty or missing. The `field_*` functions read it."""
Signer = Callable[[], Mapping[str, str]]
"""Makes fresh authentication headers; asked again for every attempt, because they hold the time."""

_PASSING: Final = frozenset({401, 408, 425, 429})
"""Statuses of reads that are known to go away: 401 because the venue answers it now and then to valid keys."""
_SHOWN: Final = 200
_MOST_DIGITS: Final = 40
T = TypeVar("T")


class HttpStatusError(VenueError):
    """The venue answered a read with a status that is no success. `retry_after_s` is what it asked for, 0 when it did not."""

    def __init__(self, url: str, status: int, text: str, *, retry_after_s: float = 0.0) -> None:
        hint = " (are the API credentials those of the signing key?)" if status == 401 else ""
        super().__init__(f"{endpoint_of(url)}: HTTP {status}{hint}: {text[:_SHOWN]}")
        self.status = status
        self.retry_after_s = retry_after_s


class ResponseError(VenueError):
    """A reply that does not have the shape it must have; the text names the endpoint and the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How patient a read is. `attempts` includes the first; a Retry-After above `longest_wait_s` ends the read at once."""

    attempts: int = 4
    first_delay_s: float = 0.25
    longest_delay_s: float = 4.0
    longest_wait_s: float = 30.0
    timeout_s: float = 5.0


class Reader:
    """Idempotent reads over any transport. Sleeps on the given clock and jitters with the given generator."""

    def __init__(self, transport: HttpTransport, *, clock: Clock, rng: random.Random, policy: RetryPolicy | None = None) -> None:
        self._transport = transport
        self._clock = clock
        self._rng = rng
        self._policy = policy or RetryPolicy()

    async def fetch(
        self,
        url: str,
        *,
        method: Literal["GET", "POST"] = "GET",
        params: Params = (),
        body: bytes | None = None,
        sign: Signer | None = None,
        accept: tuple[int, ...] = (200,),
    ) -> HttpReply:
        """A reply with one of the statuses in `accept`. POST is for reads that need a body (`/books`), never for orders.

        HttpStatusError for another status, TransportError when the network failed, both after the repeats the policy allows.
        """
        last = self._policy.attempts - 1
        for attempt in range(self._policy.attempts):
            try:
                reply = await self._attempt(method, url, params, body, sign)
            except TransportError as e:
                if attempt == last or e.reason == "url":
                    raise
                await self._clock.sleep(self._delay_s(attempt))
                continue
            if reply.status in accept:
                return reply
            asked_s = self._asked_s(reply)
            passing = reply.status in _PASSING or reply.status >= 500
            if attempt == last or not passing or asked_s > self._policy.longest_wait_s:
                raise HttpStatusError(url, reply.status, reply.body.decode("utf-8", "replace"), retry_after_s=asked_s)
            await self._clock.sleep(max(asked_s, self._delay_s(attempt)))
        raise AssertionError("a retry policy has at least one attempt")

    async def get_json(self, url: str, *, params: Params = (), sign: Signer | None = None) -> object:
        """The decoded JSON of a GET, fractions as Decimal. Errors as `fetch`, and ResponseError when it is not JSON."""
        return decode(object, await self.fetch(url, params=params, sign=sign), endpoint_of(url))

    async def _attempt(self, method: str, url: str, params: Params, body: bytes | None, sign: Signer | None) -> HttpReply:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if sign is not None:
            headers.update(sign())
        return await self._transport.request(method, url, headers=headers, params=params, body=body, timeout_s=self._policy.timeout_s)

    def _delay_s(self, attempt: int) -> float:
        """Half fixed, half random: bots that were refused together must not come back together."""
        delay = min(self._policy.first_delay_s * (1 << attempt), self._policy.longest_delay_s)
        return delay * (0.5 + self._rng.random() / 2)

    def _asked_s(self, reply: HttpReply) -> float:
        seconds = retry_after_seconds(reply.headers)
        if seconds is not None:
            return seconds
        try:
            moment = parsedate_to_datetime(reply.headers.get("retry-after", ""))
            wait_s: float = moment.timestamp() - self._clock.now_ms() / 1000
            return max(wait_s, 0.0)
        except (ValueError, TypeError, OverflowError):
            return 0.0


def decode(shape: type[T], reply: HttpReply, endpoint: str) -> T:
    """Read a JSON body as `shape`. ResponseError naming the endpoint, and the field where it is known."""
    try:
        return msgspec.json.Decoder(shape, float_hook=Decimal).decode(reply.body)
    except (*UNREADABLE, ArithmeticError) as e:
        raise ResponseError(f"{endpoint}: {e}: {reply.body[:_SHOWN].decode('utf-8', 'replace')!r}") from None


def field_price(value: object, endpoint: str, field: str) -> Price:
    """A price from text or number. ResponseError when it is none."""
    return _number(value, fast_price, endpoint, field)


def field_tick(value: object, endpoint: str, field: str) -> Price:
    """A tick size from text or number. ResponseError when it is none."""
    return _number(value, fast_tick, endpoint, field)


def field_micros(value: object, endpoint: str, field: str) -> Micros:
    """An amount from text or number. ResponseError when it is none."""
    return _number(value, fast_micros, endpoint, field)


def field_integer(value: object, endpoint: str, field: str) -> int:
    """A whole number of at least 0 and at most 256 bits, from text or number. ResponseError when it is none."""
    return _number(value, _whole, endpoint, field)


def field_seconds(value: object, endpoint: str, field: str) -> int:
    """A moment in epoch seconds, from text or number. ResponseError when it is none before the year 5138."""
    return _moment(value, endpoint, field, before=LAST_MILLISECOND // 1000)


def field_milliseconds(value: object, endpoint: str, field: str) -> int:
    """As `field_seconds`, in epoch milliseconds."""
    return _moment(value, endpoint, field, before=LAST_MILLISECOND)


def rough_micros(value: object) -> Micros:
    """A number in millionths, cut; 0 for what is missing, negative, endless or no number: such figures rank markets, they price nothing."""
    if value is None:
        return 0
    try:
        number = value if isinstance(value, Decimal) else Decimal(plain_text(value) or "0")
        return max(int(number * MICRO), 0) if abs(number.adjusted()) < _MOST_DIGITS else 0
    except (ValueError, ArithmeticError):
        return 0


def plain_text(value: object) -> str:
    """A number as a plain decimal text, `""` for nothing. ValueError for what is no number."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError(f"a {type(value).__name__} is not a number")
    number = Decimal(str(value))
    if not number.is_finite() or abs(number.adjusted()) > 80:
        raise ValueError(f"{str(value)[:_SHOWN]} is not a number of this world")
    return format(number, "f")


def _number(value: object, read: Callable[[str], int], endpoint: str, field: str) -> int:
    try:
        return read(plain_text(value))
    except ValueError as e:
        raise ResponseError(f"{endpoint}: field {field}: {e}") from None


def _moment(value: object, endpoint: str, field: str, *, before: int) -> int:
    moment = field_integer(value, endpoint, field)
    if moment >= before:
        raise ResponseError(f"{endpoint}: field {field}: {moment} is no moment of this age")
    return moment


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 78:
        raise ValueError(f"{text[:_SHOWN]!r} is not a whole number")
    return int(text)
