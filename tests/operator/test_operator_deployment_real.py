"""A bot's objects on a real API server: taken at the strictest level, written once, repaired when edited, gone with their market."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.operator.api_server_rig import RequestTally
from tests.operator.bot_objects import AT_PAPER, EVERYTHING, LIVE, POLICY, WALLET, container_of, market, objects_of

from kabobagool.clock import SystemClock
from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.bot_writer import patched_by_us, write_bot
from kabobagool_operator.cluster import Cluster
from kabobagool_operator.cluster_config import load_configuration
from kabobagool_operator.cluster_errors import Conflict, Forbidden, Invalid, NotFound
from kabobagool_operator.deployment import Desired
from kabobagool_operator.drift import covers
from kabobagool_operator.facts import PodFacts
from kabobagool_operator.kinds import ARB_MARKET, CONFIG_MAP, DEPLOYMENT, POD
from kabobagool_operator.pods import bot_deployment, missing_config_map, pod_facts
from kabobagool_operator.policy import Policy
from kabobagool_operator.rest import Rest
from kabobagool_operator.write_rate import WriteRate

Object = dict[str, Any]
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
INSTALLED = POLICY.model_copy(
    update={
        "bot_node_selector": {"disk": "ssd"},
        "bot_tolerations": ({"key": "spot", "operator": "Exists"},),
        "bot_image_pull_secrets": ("registry",),
        "bot_image_pull_policy": "Always",
        "bot_environment": {"ORDER_RATE": "3"},
        "live_wallet": WALLET,
    }
)
VARIANTS: dict[str, tuple[Object, Policy]] = {
    "dry": ({}, POLICY),
    "paper": ({"mode": "Paper"}, AT_PAPER),
    "live": (LIVE, POLICY),
    "everything": ({**EVERYTHING, **LIVE}, INSTALLED),
}

pytestmark = pytest.mark.usefixtures("installed_crds")


@pytest.fixture
async def cluster(control_plane: Any) -> AsyncIterator[Cluster]:
    rest = Rest(
        await load_configuration(kubeconfig=control_plane.kubeconfig),
        rate=WriteRate(clock=SystemClock(), per_second=500, burst=500),
        observer=RequestTally(),
        fence=lambda: 1,
    )
    yield Cluster(rest)
    await rest.close()


async def pinned(cluster: Cluster, namespace: str, spec: Object) -> ArbMarket:
    """An ArbMarket as a person applies it, read back."""
    asked = {"spec": {"market": {"slug": "rain"}, **spec}}
    return ArbMarket.parse(await cluster.apply(ARB_MARKET, namespace, "rain", asked))


async def applied(cluster: Cluster, namespace: str, wanted: Desired) -> tuple[Object, Object]:
    """Both objects as they are after they were applied."""
    deployment = await write_bot(cluster, wanted)
    return await cluster.get(CONFIG_MAP, namespace, wanted.config_map["metadata"]["name"]), deployment


async def until(look: Callable[[], Any]) -> Any:
    """What `look` finds, as soon as it finds something."""
    async with asyncio.timeout(60):
        while not (found := await look()):
            await asyncio.sleep(0.1)
    return found


@pytest.mark.parametrize("variant", VARIANTS)
async def test_what_was_applied_is_up_to_date_and_another_apply_changes_nothing(cluster: Cluster, namespace: str, variant: str) -> None:
    spec, policy = VARIANTS[variant]
    wanted = objects_of(await pinned(cluster, namespace, spec), policy)
    config_map, deployment = await applied(cluster, namespace, wanted)
    assert covers(config_map, wanted.config_map)
    found = bot_deployment(deployment, wanted)
    assert (found.drifted, found.config_hash, found.replicas, found.ready) == (False, wanted.hash, 1, False)
    again = await applied(cluster, namespace, wanted)
    assert again[0] == config_map
    assert again[1]["metadata"]["generation"] == deployment["metadata"]["generation"]


@pytest.mark.parametrize("variant", VARIANTS)
async def test_pods_are_made_at_the_restricted_level(
    cluster: Cluster, kubectl: Any, namespace: str, controllers: None, variant: str
) -> None:
    kubectl("label", "namespace", namespace, RESTRICTED)
    spec, policy = VARIANTS[variant]
    wanted = objects_of(await pinned(cluster, namespace, spec), policy)
    await applied(cluster, namespace, wanted)

    async def a_pod() -> Object | None:
        return next(iter(await cluster.list(POD, namespace)), None)

    pod = await until(a_pod)
    found = pod_facts(pod, now=datetime.now(UTC))
    assert (found.config_hash, found.ready, found.trouble, found.restarts) == (wanted.hash, False, None, 0)
    assert found.name.startswith("rain-")
    assert not any("serviceaccount" in json.dumps(mount) for mount in pod["spec"]["containers"][0]["volumeMounts"])


async def test_the_restricted_level_would_refuse_less(cluster: Cluster, kubectl: Any, namespace: str, controllers: None) -> None:
    """So that the test above cannot pass because nobody looks."""
    kubectl("label", "namespace", namespace, RESTRICTED)
    template = objects_of(market(namespace=namespace)).deployment["spec"]["template"]
    await until(lambda: account(cluster, namespace, template))
    del template["spec"]["securityContext"]["seccompProfile"]
    with pytest.raises(Forbidden, match="seccompProfile"):
        await until_the_label_counts(cluster, namespace, template)


async def until_the_label_counts(cluster: Cluster, namespace: str, template: Object) -> None:
    """The API server learns of a namespace's label from its own watch."""
    for n in range(300):
        await cluster.create(POD, namespace, {"metadata": {"name": f"lax-{n}"}, "spec": template["spec"]})
        await asyncio.sleep(0.1)


async def account(cluster: Cluster, namespace: str, template: Object) -> bool:
    """Whether Pods can be made at all: a new namespace has no service account for a moment."""
    try:
        await cluster.create(POD, namespace, {"metadata": {"name": "strict"}, "spec": template["spec"]})
    except Forbidden as e:
        if "serviceaccount" not in str(e):
            raise
        return False
    return True


BOT = "/spec/template/spec/containers/0"
TAMPERING: dict[str, Object] = {
    "scaled": {"op": "replace", "path": "/spec/replicas", "value": 2},
    "another image": {"op": "replace", "path": f"{BOT}/image", "value": "evil:1"},
    "another command": {"op": "replace", "path": f"{BOT}/command", "value": ["sh"]},
    "another configuration": {"op": "replace", "path": f"{BOT}/envFrom/0/configMapRef/name", "value": "x"},
    "the key of another wallet": {
        "op": "replace",
        "path": f"{BOT}/env/1/valueFrom/secretKeyRef/name",
        "value": "another",
    },
    "two at once": {"op": "replace", "path": "/spec/strategy", "value": {"type": "RollingUpdate"}},
    "two kinds of probe": {"op": "replace", "path": f"{BOT}/livenessProbe", "value": {"exec": {"command": ["true"]}}},
    "a key in the open": {"op": "replace", "path": f"{BOT}/env/1", "value": {"name": "PRIVATE_KEY", "value": "0x1"}},
    "a folder of the node": {
        "op": "replace",
        "path": "/spec/template/spec/volumes/0",
        "value": {"name": "state", "hostPath": {"path": "/"}},
    },
    "less time to hedge": {"op": "replace", "path": "/spec/template/spec/terminationGracePeriodSeconds", "value": 1},
    "no probe": {"op": "remove", "path": f"{BOT}/livenessProbe"},
    "a writable root": {"op": "replace", "path": f"{BOT}/securityContext/readOnlyRootFilesystem", "value": False},
    "an orphan": {"op": "remove", "path": "/metadata/ownerReferences"},
    "a stranger": {"op": "remove", "path": "/metadata/labels/app.kubernetes.io~1managed-by"},
}


@pytest.mark.parametrize("what", TAMPERING)
async def test_what_somebody_edits_is_drift_and_is_put_right(cluster: Cluster, kubectl: Any, namespace: str, what: str) -> None:
    wanted = objects_of(await pinned(cluster, namespace, LIVE))
    _, before = await applied(cluster, namespace, wanted)
    kubectl("patch", "deployment", "rain", "--type=json", "--patch", json.dumps([TAMPERING[what]]))
    assert bot_deployment(await cluster.get(DEPLOYMENT, namespace, "rain"), wanted).drifted
    _, repaired = await applied(cluster, namespace, wanted)
    assert not bot_deployment(repaired, wanted).drifted
    assert repaired["spec"] == before["spec"]


async def test_a_repair_leaves_nothing_that_outlives_what_is_wanted(cluster: Cluster, kubectl: Any, namespace: str) -> None:
    """A key that had to be forced back into its place is gone when the bot becomes a dry run."""
    live = objects_of(await pinned(cluster, namespace, LIVE))
    await write_bot(cluster, live)
    kubectl("patch", "deployment", "rain", "--type=json", "--patch", json.dumps([TAMPERING["a key in the open"]]))
    await write_bot(cluster, live)
    dry = objects_of(await pinned(cluster, namespace, {}))
    deployment = await write_bot(cluster, dry)
    assert [entry["name"] for entry in container_of(deployment)["env"]] == ["REDIS_URL"]
    assert not bot_deployment(deployment, dry).drifted


async def test_a_spec_that_is_wrong_in_itself_is_refused_and_the_bot_that_runs_stays(cluster: Cluster, namespace: str) -> None:
    wanted = objects_of(await pinned(cluster, namespace, {}))
    before = await write_bot(cluster, wanted)
    wrong = {"bot": {"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}}}
    with pytest.raises(Invalid, match="memory"):
        await write_bot(cluster, objects_of(await pinned(cluster, namespace, wrong)))
    assert (await cluster.get(DEPLOYMENT, namespace, "rain"))["spec"] == before["spec"]
    another = market("snow", namespace=namespace, uid=before["metadata"]["ownerReferences"][0]["uid"], **wrong)
    with pytest.raises(Invalid, match="memory"):
        await write_bot(cluster, objects_of(another))


async def test_a_bot_that_was_scaled_by_a_patch_is_one_that_was_applied_after_the_next_apply(cluster: Cluster, namespace: str) -> None:
    wanted = objects_of(await pinned(cluster, namespace, {}))
    before = await write_bot(cluster, wanted)
    none = [{"op": "replace", "path": "/spec/replicas", "value": 0}]
    version = before["metadata"]["resourceVersion"]
    for _ in range(5):
        try:
            patched = await cluster.patch_json(DEPLOYMENT, namespace, "rain", none, resource_version=version)
            break
        except Conflict:
            version = (await cluster.get(DEPLOYMENT, namespace, "rain"))["metadata"]["resourceVersion"]
    assert bot_deployment(patched, wanted).drifted
    again = await write_bot(cluster, wanted)
    assert bot_deployment(again, wanted).replicas == 1
    assert patched_by_us(again) is None
    assert not bot_deployment(again, wanted).drifted


async def test_what_does_not_concern_us_is_no_drift(cluster: Cluster, kubectl: Any, namespace: str) -> None:
    wanted = objects_of(await pinned(cluster, namespace, {}))
    await applied(cluster, namespace, wanted)
    kubectl("annotate", "deployment", "rain", "team=weather")
    assert not bot_deployment(await cluster.get(DEPLOYMENT, namespace, "rain"), wanted).drifted


async def test_a_configuration_cannot_be_edited_and_one_that_was_deleted_is_drift(cluster: Cluster, kubectl: Any, namespace: str) -> None:
    wanted = objects_of(await pinned(cluster, namespace, {}))
    config_map, deployment = await applied(cluster, namespace, wanted)
    name = config_map["metadata"]["name"]
    with pytest.raises(Invalid, match="immutable"):
        await cluster.apply(CONFIG_MAP, namespace, name, {"data": {"MAX_PAIR_COST": "0.999"}}, field_manager="somebody")
    said = PodFacts(name="rain-1", ready=False, age_s=1, config_hash=wanted.hash, message=missing_config_map(name))
    assert bot_deployment(deployment, wanted, [said]).drifted
    other = PodFacts(name="rain-1", ready=False, age_s=1, config_hash=wanted.hash, message=missing_config_map("another"))
    assert not bot_deployment(deployment, wanted, [other]).drifted


async def test_a_new_configuration_is_applied_over_the_old_one_whatever_changed(cluster: Cluster, namespace: str) -> None:
    """A dry run that becomes live is the same Deployment, so its old Pod is gone before the new one starts."""
    first = objects_of(await pinned(cluster, namespace, {}))
    _, before = await applied(cluster, namespace, first)
    second = objects_of(await pinned(cluster, namespace, {**EVERYTHING, **LIVE}), INSTALLED)
    assert bot_deployment(before, second).drifted
    config_map, after = await applied(cluster, namespace, second)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert bot_deployment(after, second).config_hash == second.hash
    assert not bot_deployment(after, second).drifted
    assert config_map["data"] == second.config_map["data"]


async def test_both_objects_go_with_their_market(cluster: Cluster, kubectl: Any, namespace: str, controllers: None) -> None:
    wanted = objects_of(await pinned(cluster, namespace, {}))
    await applied(cluster, namespace, wanted)
    kubectl("delete", "arbmarket", "rain")

    async def gone() -> bool:
        for kind, body in ((DEPLOYMENT, wanted.deployment), (CONFIG_MAP, wanted.config_map)):
            try:
                await cluster.get(kind, namespace, body["metadata"]["name"])
            except NotFound:
                continue
            return False
        return True

    assert await until(gone)


async def test_a_pod_that_a_quota_refuses_is_told_in_the_words_of_the_api_server(
    cluster: Cluster, kubectl: Any, namespace: str, controllers: None
) -> None:
    kubectl.apply("v1", "ResourceQuota", "few", spec={"hard": {"pods": "0"}})
    wanted = objects_of(await pinned(cluster, namespace, {}))
    await applied(cluster, namespace, wanted)

    async def refused() -> str:
        return bot_deployment(await cluster.get(DEPLOYMENT, namespace, "rain"), wanted).quota_message

    assert "exceeded quota: few" in await until(refused)
