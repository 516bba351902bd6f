"""What goes wrong, when and how often: a seeded scenario that the matching core and the HTTP shell both consult.

A trading bot is judged by its bad minutes, so the exchange can produce them on purpose and again from the same seed. The core asks about
settlement, latency and delays; the shell asks about everything that happens to requests and sockets. Times are venue milliseconds.
"""

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

POST_ONLY_MS = 120_000


class FaultKind(StrEnum):
    """The failures the exchange can act out."""

    SETTLEMENT_FAILED = "settlement_failed"
    ORDER_LATENCY = "order_latency"
    DELAYED_REPLY = "delayed_reply"
    RESTART_425 = "restart_425"
    POST_ONLY_503 = "post_only_503"
    RATE_LIMITED_WITH_HEADERS = "rate_limited_with_headers"
    RATE_LIMITED_BARE_429 = "rate_limited_bare_429"
    COULD_NOT_RUN_500 = "could_not_run_500"
    REPLY_DROPPED = "reply_dropped"
    SILENT_FREEZE = "silent_freeze"
    MISSING_FIRST_SNAPSHOT = "missing_first_snapshot"
    DUPLICATED_FRAMES = "duplicated_frames"
    REORDERED_FRAMES = "reordered_frames"
    DISCONNECT = "disconnect"
    STALE_BOOK = "stale_book"
    CLOUDFLARE_403 = "cloudflare_403"
    GEOBLOCKED = "geoblocked"


class FaultError(ValueError):
    """A scenario that cannot be understood; the text names the field, its value and the fix."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong. `at_ms` counts from the start of the exchange, None means from now on.

    It ends after `for_ms` or after it struck `count` times; with neither it strikes once. `probability` is per occasion.
    `filled` says whether the order was matched although the reply says otherwise; None leaves it to the seeded coin.
    """

    kind: FaultKind
    at_ms: int | None = None
    for_ms: int | None = None
    count: int | None = None
    probability: float = 1.0
    token: str | None = None
    slug: str | None = None
    filled: bool | None = None
    delay_ms: int = 1_000
    retry_after_s: int | None = None

    @classmethod
    def from_dict(cls, entry: object, where: str = "fault") -> "Fault":
        """Check one decoded JSON object. Raises FaultError."""
        if not isinstance(entry, Mapping):
            raise FaultError(f'{where}={entry!r}: write an object such as {{"kind": "disconnect"}}')
        known = [field.name for field in fields(cls)]
        for name, value in entry.items():
            if name not in known:
                raise FaultError(f"{where}.{name}={value!r}: unknown field; use one of {', '.join(known)}")
            _CHECKS[name](f"{where}.{name}", value)
        if "kind" not in entry:
            raise FaultError(f"{where}.kind is missing: use one of {', '.join(FaultKind)}")
        fault = cls(**{**entry, "kind": FaultKind(entry["kind"])})
        if fault.kind is FaultKind.RESTART_425 and fault.for_ms is None:
            raise FaultError(f"{where}.for_ms is missing: say how many milliseconds the restart takes, e.g. 90000")
        return fault

    def concerns(self, token: str | None, slug: str | None) -> bool:
        """Tell whether the fault is meant for this token and market; one that names neither is meant for all."""
        return self.token in (None, token) and self.slug in (None, slug)


@dataclass(slots=True)
class _Armed:
    """A fault with absolute times and the strikes it has left, None for any number."""

    fault: Fault
    from_ms: int
    until_ms: int | None
    left: int | None

    def may_strike(self, now_ms: int) -> bool:
        """Tell whether its time has come and is not over."""
        return self.from_ms <= now_ms and (self.until_ms is None or now_ms < self.until_ms) and self.left != 0


class FaultPlan:
    """The faults of one run. The same seed and the same questions give the same answers."""

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int = 1) -> None:
        self._rng = random.Random(seed)  # noqa: S311
        self._start_ms = 0
        self._now_ms = 0
        self._waiting = list(faults)
        self._armed: list[_Armed] = []
        self.struck: dict[FaultKind, int] = dict.fromkeys(FaultKind, 0)

    @classmethod
    def from_json(cls, text: str, *, seed: int = 1) -> "FaultPlan":
        """Read `[fault, ...]` or `{"seed": n, "faults": [fault, ...]}`. Raises FaultError."""
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            raise FaultError(f"scenario: not JSON at line {error.lineno}, column {error.colno}: {error.msg}") from error
        if isinstance(document, Mapping):
            unknown = sorted(set(document) - {"seed", "faults"})
            if unknown:
                raise FaultError(f"scenario.{unknown[0]}: unknown field; use seed and faults")
            seed = _integer("scenario.seed", document.get("seed", seed))
            document = document.get("faults", [])
        if not isinstance(document, list):
            raise FaultError(f"scenario.faults={document!r}: write a list of faults")
        return cls((Fault.from_dict(entry, f"faults[{index}]") for index, entry in enumerate(document)), seed=seed)

    def start(self, start_ms: int) -> None:
        """Fix the beginning of the exchange, from which `at_ms` counts."""
        self._start_ms = self._now_ms = start_ms
        waiting, self._waiting = self._waiting, []
        for fault in waiting:
            self.add(fault)

    def tick(self, now_ms: int) -> None:
        """Note the venue time, so that `add` knows what "now" is."""
        self._now_ms = max(self._now_ms, now_ms)

    def add(self, fault: Fault, *, now_ms: int | None = None) -> None:
        """Arm one more fault; a restart also arms the two post-only minutes that follow it."""
        self.tick(now_ms or self._now_ms)
        from_ms = self._now_ms if fault.at_ms is None else self._start_ms + fault.at_ms
        until_ms = None if fault.for_ms is None else from_ms + fault.for_ms
        left = 1 if fault.count is None and fault.for_ms is None else fault.count
        self._armed.append(_Armed(fault, from_ms, until_ms, left))
        if fault.kind is FaultKind.RESTART_425 and until_ms is not None:
            after = replace(fault, kind=FaultKind.POST_ONLY_503, at_ms=until_ms - self._start_ms, for_ms=POST_ONLY_MS, count=None)
            self.add(after)

    def end(self) -> None:
        """Disarm every fault, those included whose time has not come."""
        self._armed.clear()

    def active(self, kind: FaultKind | str, now_ms: int, *, token: str | None = None, slug: str | None = None) -> Fault | None:
        """Return the fault that strikes this occasion and use up one of its strikes; its `filled` is always decided."""
        self.tick(now_ms)
        for armed in self._armed:
            fault = armed.fault
            if fault.kind != kind or not armed.may_strike(now_ms) or not fault.concerns(token, slug):
                continue
            if fault.probability < 1 and self._rng.random() >= fault.probability:
                continue
            if armed.left is not None:
                armed.left -= 1
            self.struck[fault.kind] += 1
            return fault if fault.filled is not None else replace(fault, filled=self._rng.random() < 0.5)
        return None

    def armed(self, now_ms: int) -> list[Fault]:
        """Return the faults that may still strike, now or later."""
        return [armed.fault for armed in self._armed if armed.left != 0 and (armed.until_ms is None or now_ms < armed.until_ms)]


def _integer(where: str, value: Any) -> int:
    """Require a whole number of zero or more."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise FaultError(f"{where}={value!r}: write a whole number of 0 or more")


def _optional_integer(where: str, value: Any) -> None:
    """Allow null where a number may be left out."""
    if value is not None:
        _integer(where, value)


def _kind(where: str, value: Any) -> None:
    """Require one of the known kinds."""
    if value not in list(FaultKind):
        raise FaultError(f"{where}={value!r}: unknown kind; use one of {', '.join(FaultKind)}")


def _probability(where: str, value: Any) -> None:
    """Require a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise FaultError(f"{where}={value!r}: write a number from 0 to 1")


def _text(where: str, value: Any) -> None:
    """Require text or null."""
    if value is not None and not isinstance(value, str):
        raise FaultError(f"{where}={value!r}: write text in quotes, or leave it out")


def _flag(where: str, value: Any) -> None:
    """Require true, false or null."""
    if value is not None and not isinstance(value, bool):
        raise FaultError(f"{where}={value!r}: write true, false or null (null tosses a coin)")


_CHECKS = {
    "kind": _kind,
    "at_ms": _optional_integer,
    "for_ms": _optional_integer,
    "count": _optional_integer,
    "probability": _probability,
    "token": _text,
    "slug": _text,
    "filled": _flag,
    "delay_ms": _integer,
    "retry_after_s": _optional_integer,
}
