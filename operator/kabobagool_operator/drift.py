"""Whether a live object already is what we would apply, so that nothing is written when nothing changed.

The API server fills in defaults, rewrites quantities and keeps lists by key, so an object that was just applied does not look like what
was sent. What is ours in it is written beside it: `metadata.managedFields` lists every field this name has applied, and tells keyed lists,
sets and indivisible values apart. An object is up to date when these fields are exactly those we would set, and hold the same values.
Whoever changes one of them takes it out of our list, which shows even where the API server stores nothing (`hostNetwork: false`).

Pure; the operator asks before it plans a write. Fields given as None count as not given.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kubernetes.utils.quantity import parse_quantity

from kabobagool_operator.labels import FENCE, FIELD_MANAGER

Owned = Mapping[str, Any]
"""A level of `fieldsV1`: `f:NAME` a field, `k:KEYS` an item of a keyed list, `v:VALUE` a member of a set, `.` the thing itself."""

IDENTITY: Final = frozenset({"name", "namespace", "uid", "resourceVersion"})
"""What of `metadata` says which object is meant; nobody owns it."""
QUANTITY_MAPS: Final = frozenset({"limits", "requests"})
QUANTITIES: Final = frozenset({"sizeLimit", "divisor"})
DEFAULTS: Final = {
    ("fieldRef", "apiVersion"): "v1",
    ("resourceFieldRef", "divisor"): "0",
    ("serviceAccountToken", "expirationSeconds"): 3600,
}
"""What the API server fills in within indivisible values, where ownership does not tell its fields from those we applied earlier.

One that is missing here costs a write that changes nothing; one too many would leave something of ours behind.
"""
ABSENT: Final = object()


def covers(live: Mapping[str, Any], desired: Mapping[str, Any], *, manager: str = FIELD_MANAGER, subresource: str = "") -> bool:
    """Whether applying `desired` under this name would change nothing in `live`, but for the stamp of the leader.

    `subresource` is `status` for what is applied with `apply_status`, of which the status alone counts. A live object whose
    `managedFields` were cut off is never up to date.
    """
    owned = owned_fields(live, manager=manager, subresource=subresource)
    if owned is None or not _is_the_object_meant(live, desired):
        return False
    wanted = {"status": desired.get("status")} if subresource == "status" else _without_identity(desired)
    return _same_fields(dict(live), wanted, _without_stamp(owned), name="")


def owned_fields(live: Mapping[str, Any], *, manager: str = FIELD_MANAGER, subresource: str = "") -> Owned | None:
    """The fields this name has applied, as `fieldsV1`; None when it never did."""
    for entry in live.get("metadata", {}).get("managedFields") or []:
        if (entry.get("manager"), entry.get("operation"), entry.get("subresource", "")) == (manager, "Apply", subresource):
            return dict(entry.get("fieldsV1") or {})
    return None


def _is_the_object_meant(live: Mapping[str, Any], desired: Mapping[str, Any]) -> bool:
    meant, found = desired.get("metadata", {}), live.get("metadata", {})
    return all(meant[field] == found.get(field) for field in IDENTITY if meant.get(field) is not None)


def _without_identity(desired: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = {field: value for field, value in desired.get("metadata", {}).items() if field not in IDENTITY}
    rest = {field: value for field, value in desired.items() if field not in ("apiVersion", "kind", "metadata")}
    return {**rest, "metadata": metadata} if metadata else rest


def _without_stamp(owned: Owned) -> Owned:
    metadata = dict(owned.get("f:metadata", {}))
    annotations = {field: below for field, below in metadata.pop("f:annotations", {}).items() if field != f"f:{FENCE}"}
    if _members(annotations):
        metadata["f:annotations"] = annotations
    rest = {field: below for field, below in owned.items() if field != "f:metadata"}
    return {**rest, "f:metadata": metadata} if _members(metadata) else rest


def _members(owned: Owned) -> list[str]:
    return [member for member in owned if member != "."]


def _same(live: Any, desired: Any, owned: Owned, *, name: str, within: str) -> bool:
    """Compare what is called `name` within what is called `within`; for an item of a list both are those of the list."""
    if not _members(owned):
        return _holds(live, desired, name=name, within=within)
    if isinstance(desired, dict):
        return _same_fields(live, desired, owned, name=name)
    return isinstance(desired, list) and isinstance(live, list) and _same_items(live, desired, owned, name=name, within=within)


def _same_fields(live: Any, desired: Mapping[str, Any], owned: Owned, *, name: str) -> bool:
    given = {field: value for field, value in desired.items() if value is not None}
    unowned = {field for field in given if f"f:{field}" not in owned}
    if not all(_is_empty_in_both(given[field], _field(live, field)) for field in unowned):
        return False
    ours = {field: value for field, value in given.items() if field not in unowned}
    if len(ours) != len(_members(owned)):
        return False
    return all(_same(_field(live, field), value, owned[f"f:{field}"], name=field, within=name) for field, value in ours.items())


def _is_empty_in_both(desired: Any, live: Any) -> bool:
    """An empty list or map is kept by nobody and owned by nobody."""
    return isinstance(desired, dict | list) and not desired and (live is ABSENT or not live)


def _same_items(live: Sequence[Any], desired: Sequence[Any], owned: Owned, *, name: str, within: str) -> bool:
    members = _members(owned)
    if len(members) != len(desired):
        return False
    for member in members:
        found, wanted = _item(live, member), _item(desired, member)
        if wanted is ABSENT or found is ABSENT or not _same(found, wanted, owned[member], name=name, within=within):
            return False
    return True


def _field(live: Any, field: str) -> Any:
    return live.get(field, ABSENT) if isinstance(live, dict) else ABSENT


def _item(items: Sequence[Any], member: str) -> Any:
    """Find what a member of `fieldsV1` stands for. A key the item does not name was filled in by the API server; the fullest match wins."""
    sort, _, text = member.partition(":")
    meant = json.loads(text)
    if sort == "v":
        return meant if meant in items else ABSENT
    if not isinstance(meant, dict):
        return ABSENT
    candidates = [item for item in items if isinstance(item, dict) and all(item.get(key, value) == value for key, value in meant.items())]
    return max(candidates, key=lambda item: sum(key in item for key in meant), default=ABSENT)


def _holds(live: Any, desired: Any, *, name: str, within: str) -> bool:
    """Whether an indivisible value, or a part of one, is as desired and nothing more, known defaults aside."""
    if live is ABSENT or live is None:
        return _says_nothing(desired)
    if isinstance(desired, dict):
        return isinstance(live, dict) and _holds_fields(live, desired, name)
    if isinstance(desired, list):
        return (
            isinstance(live, list)
            and len(live) == len(desired)
            and all(_holds(have, want, name=name, within=within) for have, want in zip(live, desired, strict=True))
        )
    if within in QUANTITY_MAPS or name in QUANTITIES:
        return _same_quantity(live, desired)
    return isinstance(live, bool) == isinstance(desired, bool) and bool(live == desired)


def _holds_fields(live: Mapping[str, Any], desired: Mapping[str, Any], name: str) -> bool:
    additional = {field: value for field, value in live.items() if field not in desired}
    return all(DEFAULTS.get((name, field)) == value for field, value in additional.items()) and all(
        _holds(live.get(field, ABSENT), value, name=field, within=name) for field, value in desired.items()
    )


def _says_nothing(desired: Any) -> bool:
    """Whether the API server keeps nothing of it when the field's own default is nothing."""
    if isinstance(desired, dict):
        return all(_says_nothing(value) for value in desired.values())
    return not desired


def _same_quantity(live: Any, desired: Any) -> bool:
    try:
        return bool(parse_quantity(str(live)) == parse_quantity(str(desired)))  # type: ignore[no-untyped-call]
    except ValueError:
        return bool(live == desired)
