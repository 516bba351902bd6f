"""The Lease that says which operator leads, as a record that is read and replaced.

`leader.py` decides by it and knows nothing of the API server; `ClusterLease` keeps it there, and with it where the leader serves the
fleet's page. A record can only be written over the very version that was read, so of two operators that want to lead one is told that it
came too late.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import msgspec

from kabobagool_operator.cluster import Cluster
from kabobagool_operator.cluster_errors import NotFound
from kabobagool_operator.kinds import LEASE
from kabobagool_operator.labels import FLEET_PAGE
from kabobagool_operator.rest import Body

SERVER_FIELDS = frozenset({"managedFields", "creationTimestamp", "uid"})


class LeaseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Who leads. `holder` is empty when nobody does; `transitions` grows with every new leader; `version` is empty for a new Lease.

    `acquired_ms` and `renewed_ms` are the holder's wall clock, for people to look at: no decision depends on it.
    """

    holder: str
    transitions: int
    duration_s: int
    acquired_ms: int
    renewed_ms: int
    version: str = ""


class LeaderPage(NamedTuple):
    """Who leads, and the `ADDRESS:PORT` of its fleet page, '' when it does not say."""

    holder: str
    address: str


class LeaseStore(Protocol):
    """Where the record is kept. Both methods raise a ClusterError when it cannot be reached."""

    async def read(self) -> LeaseRecord | None:
        """The record, None when there is none."""
        ...

    async def write(self, record: LeaseRecord) -> LeaseRecord:
        """Put it in the place of its `version`, and return it with the new one. Conflict when that version is no longer there."""
        ...


class ClusterLease:
    """A Lease of `coordination.k8s.io/v1`. Labels and annotations that others put on it stay.

    `page` is where this process serves the fleet's page, written down when it leads; '' when others cannot reach it.
    """

    def __init__(self, cluster: Cluster, *, namespace: str, name: str, page: str = "") -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._page = page
        self._metadata: Body = {}
        self._holder = ""

    @property
    def leader(self) -> LeaderPage | None:
        """Who led when the Lease was last read, and where its page is; None when nobody did."""
        annotations = self._metadata.get("annotations") or {}
        return LeaderPage(self._holder, annotations.get(FLEET_PAGE, "")) if self._holder else None

    async def read(self) -> LeaseRecord | None:
        """The record, None when there is none."""
        try:
            return self._understood(await self._cluster.get(LEASE, self._namespace, self._name))
        except NotFound:
            return None

    async def write(self, record: LeaseRecord) -> LeaseRecord:
        """Create the Lease, or put the record in the place of its `version`. Conflict when another was faster."""
        spec = {
            "holderIdentity": record.holder,
            "leaseDurationSeconds": record.duration_s,
            "acquireTime": _micro_time(record.acquired_ms),
            "renewTime": _micro_time(record.renewed_ms),
            "leaseTransitions": record.transitions,
        }
        if not record.version:
            metadata = {"name": self._name, "annotations": self._annotations({})}
            return self._understood(await self._cluster.create(LEASE, self._namespace, {"metadata": metadata, "spec": spec}))
        annotations = self._annotations(self._metadata.get("annotations") or {})
        body = {"metadata": {**self._metadata, "annotations": annotations, "resourceVersion": record.version}, "spec": spec}
        return self._understood(await self._cluster.replace(LEASE, self._namespace, self._name, body))

    def _annotations(self, found: dict[str, str]) -> dict[str, str]:
        """Whoever writes the Lease leads, or did so far."""
        others = {name: text for name, text in found.items() if name != FLEET_PAGE}
        return {**others, FLEET_PAGE: self._page} if self._page else others

    def _understood(self, lease: Body) -> LeaseRecord:
        metadata, spec = lease["metadata"], lease.get("spec") or {}
        self._holder = spec.get("holderIdentity") or ""
        self._metadata = {field: value for field, value in metadata.items() if field not in SERVER_FIELDS}
        return LeaseRecord(
            holder=self._holder,
            transitions=spec.get("leaseTransitions") or 0,
            duration_s=spec.get("leaseDurationSeconds") or 0,
            acquired_ms=_epoch_ms(spec.get("acquireTime")),
            renewed_ms=_epoch_ms(spec.get("renewTime")),
            version=metadata["resourceVersion"],
        )


def _micro_time(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _epoch_ms(text: Any) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000) if text else 0
