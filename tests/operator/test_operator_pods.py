"""What is read out of Pods and Deployments, from bodies as real clusters give them."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.operator.bot_objects import market, objects_of, pod

from kabobagool_operator.facts import PodTrouble
from kabobagool_operator.labels import CONFIG_HASH
from kabobagool_operator.pod_trouble import LONGEST
from kabobagool_operator.pods import bot_deployment, pod_facts

Object = dict[str, Any]
NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
IMAGE = "registry.example/kabobagool-bot:1.0"


def waiting(reason: str, message: str = "", **container: Any) -> Object:
    return pod(ready=False, phase="Pending", container={"state": {"waiting": {"reason": reason, "message": message}}, **container})


def ended(*, code: int = 2, reason: str = "Error", message: str = "", at: str = "2026-11-26T11:59:30Z") -> Object:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message, "finishedAt": at}}


LAST_WORDS = "PRIVATE_KEY=***: is not a private key: 64 hexadecimal digits (32 bytes), with or without 0x in front"
BACK_OFF = "back-off 5m0s restarting failed container=bot pod=rain-5d8f7c9b6-x7k2p_bots(9c2b)"
NO_ROOM = "0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes are available: 3 No preemption victims found."
LOW = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi."

TABLE: dict[str, tuple[Object, PodTrouble | None, str]] = {
    "ready": (pod(), None, ""),
    "just made": (pod(ready=False, phase="Pending", containerStatuses=[], conditions=[]), None, ""),
    "without any status": ({**pod(), "status": {}}, None, ""),
    "being made": (waiting("ContainerCreating"), None, ""),
    "image not found": (
        waiting("ErrImagePull", f'failed to pull and unpack image "{IMAGE}": not found'),
        PodTrouble.IMAGE_PULL,
        f'ErrImagePull: failed to pull and unpack image "{IMAGE}": not found',
    ),
    "image again": (
        waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"'),
        PodTrouble.IMAGE_PULL,
        f'ImagePullBackOff: Back-off pulling image "{IMAGE}"',
    ),
    "image not allowed": (
        waiting("ErrImageNeverPull", "not present with pull policy of Never"),
        PodTrouble.IMAGE_PULL,
        "ErrImageNeverPull: not",
    ),
    "image misspelt": (waiting("InvalidImageName", "couldn't parse image name"), PodTrouble.IMAGE_PULL, "InvalidImageName"),
    "no secret": (
        waiting("CreateContainerConfigError", 'secret "polymarket-wallet" not found'),
        PodTrouble.CREDENTIALS,
        'CreateContainerConfigError: secret "polymarket-wallet" not found',
    ),
    "no key in it": (
        waiting("CreateContainerConfigError", "couldn't find key PRIVATE_KEY in Secret bots/polymarket-wallet"),
        PodTrouble.CREDENTIALS,
        "CreateContainerConfigError: couldn't find key PRIVATE_KEY in Secret bots/polymarket-wallet",
    ),
    "our own configuration is gone": (
        waiting("CreateContainerConfigError", 'configmap "rain-h1" not found'),
        None,
        'configmap "rain-h1" not found',
    ),
    "crashed and waits": (
        waiting("CrashLoopBackOff", BACK_OFF, restartCount=5, lastState=ended(message=f"starting\n{LAST_WORDS}\n")),
        PodTrouble.CRASH_LOOP,
        f"ended with status 2 (Error): {LAST_WORDS}",
    ),
    "crashed for the first time and waits": (
        waiting("CrashLoopBackOff", BACK_OFF, restartCount=1, lastState=ended(code=1)),
        PodTrouble.CRASH_LOOP,
        "ended with status 1 (Error).",
    ),
    "crashed and is about to be started": (
        pod(ready=False, container={"restartCount": 5, "state": ended(code=137, reason="OOMKilled"), "lastState": {}}),
        PodTrouble.CRASH_LOOP,
        "ended with status 137 (OOMKilled).",
    ),
    "crashed and runs for a moment": (
        pod(ready=False, container={"restartCount": 5, "lastState": ended(message=LAST_WORDS)}),
        PodTrouble.CRASH_LOOP,
        f"ended with status 2 (Error): {LAST_WORDS}",
    ),
    "crashed once and starts": (pod(ready=False, container={"restartCount": 1, "lastState": ended()}), None, ""),
    "crashed long ago, and not ready now": (
        pod(ready=False, container={"restartCount": 9, "lastState": ended(at="2026-11-26T11:49:59Z")}),
        None,
        "",
    ),
    "crashed and runs": (pod(container={"restartCount": 9, "lastState": ended()}), None, ""),
    "no such command": (
        waiting("RunContainerError", 'exec: "kabobagool": executable file not found in $PATH'),
        PodTrouble.CRASH_LOOP,
        'RunContainerError: exec: "kabobagool": executable file not found in $PATH',
    ),
    "no room": (
        pod(
            ready=False,
            phase="Pending",
            containerStatuses=[],
            conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": NO_ROOM}],
        ),
        PodTrouble.UNSCHEDULABLE,
        NO_ROOM,
    ),
    "held back by a gate": (
        pod(
            ready=False,
            phase="Pending",
            containerStatuses=[],
            conditions=[{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "blocked"}],
        ),
        None,
        "",
    ),
    "evicted": (pod(ready=False, phase="Failed", reason="Evicted", message=LOW), PodTrouble.EVICTED, f"Evicted: {LOW}"),
    "node shut down": (
        pod(ready=False, phase="Failed", reason="Terminated", message="Pod was terminated in response to imminent node shutdown."),
        PodTrouble.EVICTED,
        "Terminated: Pod was terminated in response to imminent node shutdown.",
    ),
    "node full": (
        pod(ready=False, phase="Failed", reason="OutOfcpu", message="Pod was rejected"),
        PodTrouble.EVICTED,
        "OutOfcpu: Pod was rejected",
    ),
    "over": (pod(ready=False, phase="Succeeded"), PodTrouble.EVICTED, ""),
}


@pytest.mark.parametrize("what", TABLE)
def test_troubles_are_told_apart_in_the_words_of_the_cluster(what: str) -> None:
    body, trouble, message = TABLE[what]
    found = pod_facts(body, now=NOON)
    assert found.trouble is trouble
    assert message in found.message if message else found.message == ""
    assert found.ready == (what in ("ready", "crashed and runs"))


def test_a_pod_is_described_by_its_name_age_configuration_and_restarts() -> None:
    body = pod(container={"restartCount": 4})
    found = pod_facts(body, now=NOON)
    assert (found.name, found.age_s, found.config_hash, found.restarts, found.ending) == ("rain-5d8f7c9b6-x7k2p", 3600, "h1", 4, False)
    body["metadata"]["deletionTimestamp"] = "2026-11-26T12:01:00Z"
    assert pod_facts(body, now=NOON).ending
    assert pod_facts(body, now=NOON - timedelta(hours=2)).age_s == 0  # the API server's clock is ahead of ours
    del body["metadata"]["annotations"]
    assert pod_facts(body, now=NOON).config_hash == ""


def test_a_container_that_was_injected_is_not_taken_for_the_bot() -> None:
    body = pod()
    proxy = {
        "name": "proxy",
        "ready": False,
        "restartCount": 30,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": ended(),
    }
    body["status"]["containerStatuses"].insert(0, proxy)
    body["spec"]["containers"].insert(0, {"name": "proxy", "image": "proxy:1"})
    found = pod_facts(body, now=NOON)
    assert (found.trouble, found.restarts) == (None, 0)


@given(st.text(), st.text(), st.text())
def test_whatever_the_cluster_says_fits_into_a_status(reason: str, message: str, words: str) -> None:
    for body in (
        waiting("CrashLoopBackOff", message, lastState=ended(reason=reason, message=words * 100)),
        waiting("ErrImagePull", message * 100),
        pod(ready=False, phase="Failed", reason=reason, message=message * 100),
    ):
        found = pod_facts(body, now=NOON)
        assert found.trouble is not None
        assert len(found.message) <= LONGEST


WANTED = objects_of(market())
READY = {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1}
QUOTA = 'pods "rain-5d8f7c9b6-x7k2p" is forbidden: exceeded quota: bots, requested: pods=1, used: pods=20, limited: pods=20'


def deployment(**status: Any) -> Object:
    """The one we would apply, with what its controller says. Whether it has drifted a real API server is asked for."""
    body = deepcopy(WANTED.deployment)
    body["metadata"] |= {"uid": "2", "generation": 1}
    body["status"] = READY | status
    return body


def test_a_deployment_is_described_by_what_the_plan_asks_of_it() -> None:
    found = bot_deployment(deployment(), WANTED)
    assert (found.name, found.uid, found.config_hash, found.replicas) == ("rain", "2", WANTED.hash, 1)
    assert (found.ready, found.deleting, found.image, found.quota_message) == (True, False, IMAGE, "")


def test_a_deployment_is_ready_when_it_speaks_of_what_it_should_be_now() -> None:
    assert not bot_deployment(deployment(readyReplicas=0), WANTED).ready
    assert not bot_deployment(deployment(observedGeneration=0), WANTED).ready
    assert not bot_deployment({**deployment(), "status": {}}, WANTED).ready


def test_a_deployment_that_is_being_deleted_says_so() -> None:
    body = deployment()
    body["metadata"]["deletionTimestamp"] = "2026-11-26T12:01:00Z"
    assert bot_deployment(body, WANTED).deleting


def test_why_pods_cannot_be_made_is_the_word_of_the_api_server() -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": QUOTA}
    available = {"type": "Available", "status": "True", "message": "Deployment has minimum availability."}
    assert bot_deployment(deployment(conditions=[available, failure]), WANTED).quota_message == QUOTA
    assert bot_deployment(deployment(conditions=[available, failure | {"status": "False"}]), WANTED).quota_message == ""


def test_a_deployment_that_somebody_made_by_hand_is_described_too() -> None:
    by_hand = deployment()
    del by_hand["spec"]["template"]["metadata"]["annotations"][CONFIG_HASH]
    by_hand["spec"]["template"]["spec"]["containers"][0]["name"] = "other"
    del by_hand["spec"]["replicas"]
    found = bot_deployment(by_hand, WANTED)
    assert (found.config_hash, found.image, found.replicas, found.drifted) == ("", "", 1, True)
