"""The Lease that says which operator leads, as a record that is read and replaced.

`leader.py` decides by it and knows nothing of the API server; `ClusterLease` keeps it there. A record can only be written over the very
version that was read, so of two operators that want to lead one is told that it came too late.
"""

from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from kabobagool_operator.cluster import Cluster
from kabobagool_operator.cluster_errors import NotFound
from kabobagool_operator.kinds import LEASE
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


class LeaseStore(Protocol):
    """Where the record is kept. Both methods raise a ClusterError when it cannot be reached."""

    async def read(self) -> LeaseRecord | None:
        """The record, None when there is none."""
        ...

    async def write(self, record: LeaseRecord) -> LeaseRecord:
        """Put it in the place of its `version`, and return it with the new one. Conflict when that version is no longer there."""
        ...


class ClusterLease:
    """A Lease of `coordination.k8s.io/v1`. Labels and annotations that others put on it stay."""

    def __init__(self, cluster: Cluster, *, namespace: str, name: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._metadata: Body = {}

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
            return self._understood(await self._cluster.create(LEASE, self._namespace, {"metadata": {"name": self._name}, "spec": spec}))
        body = {"metadata": {**self._metadata, "resourceVersion": record.version}, "spec": spec}
        return self._understood(await self._cluster.replace(LEASE, self._namespace, self._name, body))

    def _understood(self, lease: Body) -> LeaseRecord:
        metadata, spec = lease["metadata"], lease.get("spec") or {}
        self._metadata = {field: value for field, value in metadata.items() if field not in SERVER_FIELDS}
        return LeaseRecord(
            holder=spec.get("holderIdentity") or "",
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
