"""Writes a bot's objects, so that what somebody edited is put right whatever it was.

`apply_plan.py` calls it for every bot that is made, changed or repaired; `pods.py` asks whether something is left to be done.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kabobagool_operator.cluster import Cluster
from kabobagool_operator.cluster_errors import Conflict, Invalid, NotFound
from kabobagool_operator.deployment import Desired
from kabobagool_operator.kinds import CONFIG_MAP, DEPLOYMENT
from kabobagool_operator.labels import FIELD_MANAGER

Body = dict[str, Any]

Operations = Sequence[Mapping[str, Any]]

TRIES: Final = 5


async def write_bot(cluster: Cluster, wanted: Desired) -> Body:
    """Make both objects as they should be, the configuration first; the Deployment as it is then. Raises a ClusterError."""
    config_map, metadata = wanted.config_map, wanted.deployment["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    await cluster.apply(CONFIG_MAP, namespace, config_map["metadata"]["name"], config_map)
    try:
        live = await cluster.apply(DEPLOYMENT, namespace, name, wanted.deployment)
    except Invalid:
        if not await _overwritten(cluster, namespace, name, wanted.deployment):
            raise
        live = await cluster.apply(DEPLOYMENT, namespace, name, wanted.deployment)
    return await _patched(cluster, live, _unclaim)


def patched_by_us(live: Mapping[str, Any]) -> int | None:
    """Where `managedFields` says that we changed the object otherwise than by applying it, None when it does not.

    What stands there stays when it is no longer applied: a bot that was live could keep its key as a dry run.
    """
    ours = (FIELD_MANAGER, "Update", "")
    entries = live["metadata"].get("managedFields") or []
    found = (n for n, entry in enumerate(entries) if (entry["manager"], entry["operation"], entry.get("subresource", "")) == ours)
    return next(found, None)


async def _overwritten(cluster: Cluster, namespace: str, name: str, wanted: Mapping[str, Any]) -> bool:
    """Put our spec in the place of all that stands there, if anything does.

    An apply leaves what others added. Some of that excludes what we apply (the limits of a rolling update, a second kind of probe, the
    plain value of a variable that comes from a Secret), and then the API server refuses every apply until it is gone.
    """
    try:
        live = await cluster.get(DEPLOYMENT, namespace, name)
    except NotFound:
        return False
    await _patched(cluster, live, lambda _: [{"op": "replace", "path": "/spec", "value": wanted["spec"]}])
    return True


def _unclaim(live: Body) -> Operations:
    """Take our patch off the list of who owns what; the fields stay those of the apply."""
    entry = patched_by_us(live)
    return [] if entry is None else [{"op": "remove", "path": f"/metadata/managedFields/{entry}"}]


async def _patched(cluster: Cluster, live: Body, operations: Callable[[Body], Operations]) -> Body:
    """Patch the Deployment in the version that it has. Its controller writes, too, whenever we do, so that takes a few tries."""
    metadata = live["metadata"]
    for tries_left in reversed(range(TRIES)):
        if not (todo := operations(live)):
            break
        try:
            version = live["metadata"]["resourceVersion"]
            return await cluster.patch_json(DEPLOYMENT, metadata["namespace"], metadata["name"], todo, resource_version=version)
        except Conflict:
            if not tries_left:
                raise
            live = await cluster.get(DEPLOYMENT, metadata["namespace"], metadata["name"])
    return live
