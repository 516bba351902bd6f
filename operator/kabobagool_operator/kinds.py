"""The kinds of objects the operator has to do with, and where the API server keeps them.

One place for group, version and plural; `cluster.py` builds its addresses from it and the chart's roles are tested against it.
"""

from typing import Final, NamedTuple
from urllib.parse import quote


class Kind(NamedTuple):
    """A namespaced kind: `api_version` as it stands in the objects, `plural` as it stands in the address."""

    api_version: str
    name: str
    plural: str

    @property
    def group(self) -> str:
        """The API group, empty for the oldest kinds."""
        return self.api_version.rpartition("/")[0]

    def path(self, namespace: str | None, name: str | None = None, *, subresource: str | None = None) -> str:
        """The address of an object, or of all of them; without a namespace those of the whole cluster."""
        parts = ["apis" if self.group else "api", self.api_version]
        if namespace is not None:
            parts += ["namespaces", quote(namespace, safe="")]
        parts += [self.plural, *(quote(part, safe="") for part in (name, subresource) if part is not None)]
        return "/" + "/".join(parts)


ARB_MARKET: Final = Kind("kabobagool.io/v1alpha1", "ArbMarket", "arbmarkets")
DEPLOYMENT: Final = Kind("apps/v1", "Deployment", "deployments")
CONFIG_MAP: Final = Kind("v1", "ConfigMap", "configmaps")
POD: Final = Kind("v1", "Pod", "pods")
EVENT: Final = Kind("events.k8s.io/v1", "Event", "events")
LEASE: Final = Kind("coordination.k8s.io/v1", "Lease", "leases")
