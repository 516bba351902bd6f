"""What the cluster says of a bot's Deployment and Pods, read into the few facts the plan judges.

`observe.py` asks, for objects as the API server gives them. Pure. What keeps a Pod from running is told apart here, because each kind of
trouble is somebody else's to mend: the trader's Secret, the administrator's quota, the registry, the bot itself.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from kabobagool_operator.bot_pod import CONTAINER
from kabobagool_operator.bot_writer import patched_by_us
from kabobagool_operator.deployment import Desired
from kabobagool_operator.drift import covers
from kabobagool_operator.facts import BotDeployment, PodFacts
from kabobagool_operator.labels import CANARY, CONFIG_HASH
from kabobagool_operator.pod_trouble import restarts_of, trouble_of

Body = Mapping[str, Any]
IsCovered = Callable[[Body, Body], bool]

NOTHING: Final[Body] = {}


def pod_facts(pod: Body, *, now: datetime) -> PodFacts:
    """The facts of one Pod; `now` is aware."""
    metadata = pod["metadata"]
    found = trouble_of(pod, now=now)
    return PodFacts(
        name=metadata["name"],
        ready=_true_condition(pod, "Ready") is not None,
        age_s=_age_s(metadata, now),
        config_hash=_hash(metadata),
        trouble=found.trouble if found else None,
        message=found.message if found else "",
        restarts=restarts_of(pod),
        ending=bool(metadata.get("deletionTimestamp")),
    )


def bot_deployment(
    deployment: Body, wanted: Desired | None, pods: Sequence[PodFacts] = (), *, is_covered: IsCovered = covers
) -> BotDeployment:
    """The facts of a Deployment; `wanted` is None when it is not known what it should be. `is_covered` is `covers`, or remembers it.

    It has drifted when `write_bot` would change something: also when its `pods` miss their ConfigMap, because somebody deleted it.
    """
    metadata, spec, status = deployment["metadata"], deployment["spec"], _status(deployment)
    template = spec["template"]
    return BotDeployment(
        name=metadata["name"],
        uid=metadata["uid"],
        config_hash=_hash(template.get("metadata") or NOTHING),
        replicas=spec.get("replicas", 1),
        ready=status.get("readyReplicas", 0) > 0 and status.get("observedGeneration", 0) >= metadata.get("generation", 0),
        drifted=wanted is not None and _has_drifted(deployment, wanted, pods, is_covered),
        deleting=bool(metadata.get("deletionTimestamp")),
        canary=is_canary(deployment),
        image=_image(template["spec"]),
        quota_message=str((_true_condition(deployment, "ReplicaFailure") or NOTHING).get("message", "")),
    )


def is_canary(deployment: Body) -> bool:
    """Whether a Deployment says that its bot tries a change for the others."""
    return (deployment["metadata"].get("annotations") or NOTHING).get(CANARY) == "true"


def missing_config_map(name: str) -> str:
    """What the kubelet says when a ConfigMap of ours is not there."""
    return f'configmap "{name}" not found'


def _has_drifted(deployment: Body, wanted: Desired, pods: Sequence[PodFacts], is_covered: IsCovered) -> bool:
    missing = missing_config_map(wanted.config_map["metadata"]["name"])
    if any(missing in pod.message for pod in pods):
        return True
    return patched_by_us(deployment) is not None or not is_covered(deployment, wanted.deployment)


def _status(body: Body) -> Body:
    return body.get("status") or NOTHING


def _hash(metadata: Body) -> str:
    return str((metadata.get("annotations") or NOTHING).get(CONFIG_HASH, ""))


def _image(pod: Body) -> str:
    return next((str(container.get("image", "")) for container in pod["containers"] if container["name"] == CONTAINER), "")


def _age_s(metadata: Body, now: datetime) -> float:
    return max((now - datetime.fromisoformat(metadata["creationTimestamp"])).total_seconds(), 0.0)


def _true_condition(body: Body, type_: str) -> Body | None:
    """The condition of that type if it is true."""
    conditions = _status(body).get("conditions") or []
    return next((found for found in conditions if (found.get("type"), found.get("status")) == (type_, "True")), None)
