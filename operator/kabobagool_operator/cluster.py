"""The port to the API server: the few things the operator asks of it, as methods over plain dicts.

`reconcile.py`, discovery and the finalizers speak to the cluster through this and nothing else. Whether something needs to be written
at all is decided above, with `drift.covers`; what is written here is server-side applied, so a repeated write changes nothing. Response
models are left out on purpose: an API server that is newer than we are must never fail us after the write has succeeded.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, Literal

from kabobagool_operator.cluster_errors import Conflict, Expired, Invalid, NotFound
from kabobagool_operator.kinds import EVENT, Kind
from kabobagool_operator.labels import FENCE, FIELD_MANAGER
from kabobagool_operator.rest import APPLY, JSON_PATCH, Body, Rest

CHUNK: Final = 500
TRIES: Final = 3
"""How often a list is begun again when it expires between its chunks."""

Propagation = Literal["Background", "Foreground", "Orphan"]
Objects = list[Body]


class Cluster:
    """Every method raises a ClusterError of `cluster_errors.py`; every write raises NotLeading when this process does not lead."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def get(self, kind: Kind, namespace: str, name: str) -> Body:
        """Read one object. NotFound when there is none."""
        return await self._rest.read(kind.path(namespace, name))

    async def list(self, kind: Kind, namespace: str | None, *, labels: str = "", chunk: int = CHUNK) -> Objects:
        """Read all objects, those of one namespace or with None of all, that a label selector picks; chunk by chunk.

        The objects carry their `apiVersion` and `kind`, which the API server leaves out of lists.
        """
        for _ in range(TRIES):
            try:
                return [item async for item in self._items(kind, namespace, labels, chunk)]
            except Expired:
                continue
        raise Expired(f"list {kind.plural}: expired {TRIES} times before all of it was read; chunk={chunk} is too small for this cluster")

    async def ask_for(self, kind: Kind, namespace: str | None) -> None:
        """Find out whether objects of this kind can be listed, with one short request however many there are."""
        await self._rest.read(kind.path(namespace), query=[("limit", "1")])

    async def apply(
        self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, field_manager: str = FIELD_MANAGER, force: bool = True
    ) -> Body:
        """Make the object hold what `body` says, and no longer what we applied before and `body` does not say.

        Creates the object when there is none; with a `metadata.uid` in the body only the object that has it is changed, else that
        is a Conflict. With `force` fields that others set become ours, without it they are a Conflict.

        The object is stamped with the number of our leadership; `drift.covers` leaves the stamp out of account, so that a new leader
        rewrites nothing because of it.
        """
        stamped = _stamped(_addressed(kind, namespace, name, body), self._rest.fence())
        return await self._apply(kind.path(namespace, name), stamped, field_manager, force=force)

    async def apply_status(
        self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, field_manager: str = FIELD_MANAGER, force: bool = True
    ) -> Body:
        """As `apply`, for the status alone: what `body` has beside `status` is not looked at. NotFound when the object is gone."""
        addressed = _addressed(kind, namespace, name, body)
        return await self._apply(kind.path(namespace, name, subresource="status"), addressed, field_manager, force=force)

    async def create(self, kind: Kind, namespace: str, body: Mapping[str, Any]) -> Body:
        """Create an object. Conflict when its name is taken."""
        return await self._rest.write("POST", kind.path(namespace), {"apiVersion": kind.api_version, "kind": kind.name, **body})

    async def create_event(self, namespace: str, body: Mapping[str, Any]) -> Body:
        """Create an Event of `events.k8s.io/v1`."""
        return await self.create(EVENT, namespace, body)

    async def replace(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any]) -> Body:
        """Put a whole object in the place of the one with the body's `metadata.resourceVersion`; Conflict when that is no longer there."""
        return await self._rest.write("PUT", kind.path(namespace, name), _addressed(kind, namespace, name, body))

    async def patch_json(
        self, kind: Kind, namespace: str, name: str, operations: Sequence[Mapping[str, Any]], *, resource_version: str
    ) -> Body:
        """Change an object with a JSON patch that holds for this version of it alone.

        Conflict when it is another by now, and when an operation does not fit it: the API server does not tell the two apart.
        """
        test = {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version}
        try:
            return await self._rest.write(
                "PATCH", kind.path(namespace, name), [test, *operations], content_type=JSON_PATCH, query=[("fieldManager", FIELD_MANAGER)]
            )
        except Invalid as e:
            if e.fields:
                raise
            raise Conflict(str(e)) from e

    async def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: Propagation = "Background",
    ) -> bool:
        """Delete an object, when given only the one with this uid and version (Conflict otherwise). False when it was gone already."""
        conditions = {"uid": uid, "resourceVersion": resource_version}
        preconditions = {field: value for field, value in conditions.items() if value is not None}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation, "preconditions": preconditions}
        try:
            await self._rest.write("DELETE", kind.path(namespace, name), options)
        except NotFound:
            return False
        return True

    async def _apply(self, path: str, body: Body, field_manager: str, *, force: bool) -> Body:
        query = [("fieldManager", field_manager), ("force", str(force).lower()), ("fieldValidation", "Strict")]
        try:
            return await self._rest.write("PATCH", path, body, content_type=APPLY, query=query)
        except Invalid as e:
            if set(e.fields) != {"metadata.uid"}:
                raise
            raise Conflict(str(e)) from e

    async def _items(self, kind: Kind, namespace: str | None, labels: str, chunk: int) -> AsyncIterator[Body]:
        token = ""
        while True:
            asked = {"limit": str(chunk), "labelSelector": labels, "continue": token}
            page = await self._rest.read(kind.path(namespace), query=[(field, value) for field, value in asked.items() if value])
            for item in page.get("items") or []:
                yield {"apiVersion": kind.api_version, "kind": kind.name, **item}
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return


def _addressed(kind: Kind, namespace: str, name: str, body: Mapping[str, Any]) -> Body:
    metadata = {**body.get("metadata", {}), "name": name, "namespace": namespace}
    return {**body, "apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}


def _stamped(body: Body, transitions: int) -> Body:
    metadata = body["metadata"]
    annotations = {**metadata.get("annotations", {}), FENCE: str(transitions)}
    return {**body, "metadata": {**metadata, "annotations": annotations}}
