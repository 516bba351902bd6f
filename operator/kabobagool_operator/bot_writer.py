"""Writes a bot's objects, so that what somebody edited is put right whatever it was.

`apply_plan.py` calls it for every bot that is made, changed or repaired.
"""

from collections.abc import Mapping
from typing import Any

from kabobagool_operator.cluster import Cluster
from kabobagool_operator.cluster_errors import Invalid, NotFound
from kabobagool_operator.deployment import Desired
from kabobagool_operator.kinds import CONFIG_MAP, DEPLOYMENT

Body = dict[str, Any]


async def write_bot(cluster: Cluster, wanted: Desired) -> Body:
    """Make both objects as they should be, the configuration first; the Deployment as it is then. Raises a ClusterError."""
    config_map, metadata = wanted.config_map, wanted.deployment["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    await cluster.apply(CONFIG_MAP, namespace, config_map["metadata"]["name"], config_map)
    try:
        return await cluster.apply(DEPLOYMENT, namespace, name, wanted.deployment)
    except Invalid:
        if not await _replaced(cluster, namespace, name, wanted.deployment):
            raise
    return await cluster.apply(DEPLOYMENT, namespace, name, wanted.deployment)


async def _replaced(cluster: Cluster, namespace: str, name: str, wanted: Mapping[str, Any]) -> bool:
    """Put our spec in the place of all that stands there, if anything does.

    An apply leaves what others added. Some of that excludes what we apply (the limits of a rolling update, a second kind of probe, the
    plain value of a variable that comes from a Secret), and then the API server refuses every apply until it is gone.
    """
    try:
        live = await cluster.get(DEPLOYMENT, namespace, name)
    except NotFound:
        return False
    metadata = {field: value for field, value in live["metadata"].items() if field != "managedFields"}
    await cluster.replace(DEPLOYMENT, namespace, name, {"metadata": metadata, "spec": wanted["spec"]})
    return True
