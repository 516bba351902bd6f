"""Remembers for each Deployment that it was compared with what it should be, so that the same two are not compared at every look.

`observe.py` has one. A look comes whenever a Pod or a status changes, several times while a bot starts, and comparing takes as long as all
the rest of a look. What is remembered are digests: five thousand Deployments cost a megabyte.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from kabobagool_operator.drift import covers

Body = Mapping[str, Any]
DIGEST_SIZE: Final = 16
REMEMBERED: Final = 20_000
OF_NO_MATTER: Final = frozenset({"resourceVersion", "generation"})
"""Parts of `metadata` that change with every status; nothing we apply."""


class DriftMemory:
    """The last comparison of each Deployment, by its name. Not for use from several threads."""

    def __init__(self) -> None:
        self._compared: dict[str, tuple[bytes, bool]] = {}

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._compared)

    def covers(self, live: Body, desired: Body) -> bool:
        """As `drift.covers`."""
        name, digest = live["metadata"]["name"], _digest(live, desired)
        known = self._compared.get(name)
        if known is None or known[0] != digest:
            known = (digest, covers(live, desired))
            self._remember(name, known)
        return known[1]

    def _remember(self, name: str, compared: tuple[bytes, bool]) -> None:
        if len(self._compared) >= REMEMBERED:
            self._compared.clear()
        self._compared[name] = compared


def _digest(live: Body, desired: Body) -> bytes:
    """Of all that `covers` looks at in a Deployment: everything but its status."""
    metadata = {field: value for field, value in live["metadata"].items() if field not in OF_NO_MATTER}
    rest = {field: value for field, value in live.items() if field not in ("metadata", "status")}
    return hashlib.blake2b(msgspec.json.encode((metadata, rest, desired)), digest_size=DIGEST_SIZE).digest()
