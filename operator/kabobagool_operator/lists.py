"""What kopf lists, taken into the caches on its way: they are complete before the watch begins, and lose what vanished unwatched.

`watches.py` makes the session that kopf uses with this class of responses. What kopf is shown of a list it keeps in memory, all of it at
once, and begins a task for each object; so it is shown the list without its objects, and hears of them when they change.

Objects are parsed one after the other: hundreds of them at once keep the garbage collector busy for four times as long as they take.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec
from aiohttp import ClientResponse

from kabobagool_operator.caches import WATCHED, Body, Caches
from kabobagool_operator.kinds import Kind


class Chunk(msgspec.Struct, frozen=True):
    """A part of a list as the API server sends it, its objects not parsed yet. It may name no kind where all objects name theirs."""

    metadata: Body
    items: tuple[msgspec.Raw, ...] | None = None
    kind: str = ""
    apiVersion: str = ""  # noqa: N815 - the API server's name

    @property
    def bodies(self) -> Iterable[Body]:
        """Its objects, each parsed when its turn comes."""
        return (msgspec.json.decode(item) for item in self.items or ())


class Lists:
    """Takes lists in, one of each kind at a time, chunk by chunk."""

    def __init__(self, caches: Caches) -> None:
        self._caches = caches
        self._uids: dict[Kind, set[str]] = {}

    def take(self, kind: Kind, chunk: Chunk, *, first: bool) -> None:
        """Put the objects of a chunk into the caches; with the last one, take out of them what is not in the list any more."""
        uids = set[str]() if first else self._uids[kind]
        self._uids[kind] = uids
        for body in chunk.bodies:
            self._caches.put(kind, body)
            uids.add(body["metadata"]["uid"])
        if not chunk.metadata.get("continue"):
            self._caches.keep_only(kind, self._uids.pop(kind), version=int(chunk.metadata["resourceVersion"]))


class Listing(ClientResponse):
    """Answers as aiohttp's own, but that lists of what is watched go into `lists` and come out empty."""

    lists: ClassVar[Lists]
    KINDS: ClassVar = {kind.plural: kind for kind in WATCHED}

    async def json(self, **how: Any) -> Any:
        """See ClientResponse."""
        kind, query = self.KINDS.get(self.url.name), self.url.query
        if kind is None or "watch" in query or self.status != 200:
            return await super().json(**how)
        chunk = msgspec.json.decode(await self.read(), type=Chunk)
        self.lists.take(kind, chunk, first="continue" not in query)
        return {"kind": chunk.kind, "apiVersion": chunk.apiVersion, "metadata": chunk.metadata, "items": []}


def listing_into(caches: Caches) -> type[ClientResponse]:
    """Make the class of the responses of a session whose lists are to fill these caches."""
    return type(Listing.__name__, (Listing,), {"lists": Lists(caches)})
