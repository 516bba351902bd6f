"""What a Gamma listing may be asked: filters, order, limit and cursor, with Gamma's way of ignoring what it does not know.

Pure functions over market views; `gamma.py` calls them.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from paper_exchange.server.errors import VenueError

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
MAX_IDS = 100
SORT_FIELDS = ("volume24hr", "volumeNum", "liquidityNum", "volume", "liquidity", "endDate", "startDate", "id", "slug", "question")
View = dict[str, Any]
Filter = Callable[[View], bool]
Reader = Callable[[str, str], Any]


class Parameters(Protocol):
    """The part of a multi-valued query string which is needed here."""

    def get(self, key: str, default: str) -> str:
        """The first value."""
        ...

    def getall(self, key: str, default: list[str]) -> list[str]:
        """All values."""
        ...

    def __contains__(self, key: object) -> bool: ...


class Views(Protocol):
    """As much of a listing as a page needs; the entries may be made when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> list[View]: ...


def _unprocessable(name: str, value: str) -> VenueError:
    return VenueError(422, f"invalid value for {name}: {value}")


@dataclass(frozen=True, slots=True)
class Query:
    """One listing request."""

    parameters: Parameters

    @classmethod
    def parsed(cls, parameters: Parameters) -> "Query":
        """The query, once its order and limit make sense. VenueError 422 otherwise."""
        query = cls(parameters)
        query.integer("limit", DEFAULT_LIMIT)
        if (field := parameters.get("order", "")) and any(name not in SORT_FIELDS for name in field.split(",")):
            raise VenueError(422, f"order fields are not valid: {field}")
        return query

    def integer(self, name: str, default: int) -> int:
        """A non-negative whole number. VenueError 422 otherwise."""
        value = self.parameters.get(name, "")
        if value == "":
            return default
        if not (value.isascii() and value.isdigit()) or len(value) > len("999999999"):
            raise _unprocessable(name, value)
        return int(value)

    def flag(self, name: str, default: bool) -> bool:
        """A boolean. VenueError 422 otherwise."""
        value = self.parameters.get(name, "").lower()
        if value not in ("", "true", "false", "1", "0"):
            raise _unprocessable(name, value)
        return default if value == "" else value in ("true", "1")

    def values(self, name: str) -> set[str]:
        """All values of a repeatable parameter; commas separate too. VenueError 422 beyond a hundred."""
        found = {part for value in self.parameters.getall(name, []) for part in value.split(",") if part}
        if len(found) > MAX_IDS:
            raise VenueError(422, f"{name} accepts at most {MAX_IDS} values")
        return found

    def select(self, views: list[View]) -> list[View]:
        """The views which pass every filter, sorted."""
        closed = self.flag("closed", False)
        filters = [lambda view: view["closed"] is closed, *self._identity_filters(), *self._range_filters()]
        found = [view for view in views if all(passes(view) for passes in filters)]
        for field in reversed([name for name in self.parameters.get("order", "").split(",") if name]):
            found.sort(key=_sort_key(field), reverse=not self.flag("ascending", False))
        return found

    @property
    def narrows(self) -> bool:
        """Whether it asks for some markets only, or for closed ones."""
        return self.flag("closed", False) or bool(self._identity_filters() or self._range_filters())

    def _identity_filters(self) -> list[Filter]:
        found = [_one_of(field, wanted) for name, field in _IDENTITIES.items() if (wanted := self.values(name))]
        if tokens := self.values("clob_token_ids"):
            found.append(lambda view: bool(tokens.intersection(json.loads(view.get("clobTokenIds", "[]")))))
        return found

    def _range_filters(self) -> list[Filter]:
        found: list[Filter] = []
        for name, (field, read) in _RANGES.items():
            if text := self.parameters.get(f"{name}_min", ""):
                found.append(_at_least(field, read, read(f"{name}_min", text)))
            if text := self.parameters.get(f"{name}_max", ""):
                found.append(_at_most(field, read, read(f"{name}_max", text)))
        return found


def _one_of(field: str, wanted: set[str]) -> Filter:
    return lambda view: view.get(field) in wanted


def _at_least(field: str, read: Reader, least: Any) -> Filter:
    return lambda view: bool(read(field, str(view[field])) >= least)


def _at_most(field: str, read: Reader, most: Any) -> Filter:
    return lambda view: bool(read(field, str(view[field])) <= most)


def _number(name: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise _unprocessable(name, text) from None
    if not number.is_finite():
        raise _unprocessable(name, text)
    return number


def _date(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise _unprocessable(name, text) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_IDENTITIES = {"slug": "slug", "id": "id", "condition_ids": "conditionId", "question_ids": "questionID", "version": "version"}
_RANGES: dict[str, tuple[str, Reader]] = {
    "volume_num": ("volumeNum", _number),
    "liquidity_num": ("liquidityNum", _number),
    "end_date": ("endDate", _date),
    "start_date": ("startDate", _date),
}


def _sort_key(field: str) -> Callable[[Mapping[str, Any]], Any]:
    if field == "id":
        return lambda view: int(view["id"])
    return lambda view: view.get(field, "")


def cursor_page(views: Views, query: Query) -> tuple[list[View], str]:
    """One page and the cursor of the next, empty on the last page. VenueError 422 for a cursor nobody gave out."""
    limit = min(MAX_LIMIT, query.integer("limit", DEFAULT_LIMIT)) or DEFAULT_LIMIT
    start = _decode_cursor(query.parameters.get("after_cursor", ""))
    shown = views[start : start + limit]
    end = start + len(shown)
    return shown, _encode_cursor(end) if shown and end < len(views) else ""


def _encode_cursor(position: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"after": position}).encode()).decode()


def _decode_cursor(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor))["after"]
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise VenueError(422, "invalid after_cursor") from None
    if not isinstance(position, int) or position < 0:
        raise VenueError(422, "invalid after_cursor")
    return position
