"""The objects of a bot: what they promise about safety, what is taken from the ArbMarket, and what makes a new Pod."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.operator.arbmarket_bodies import BOTS, STRATEGIES
from tests.operator.bot_objects import (
    AT_PAPER,
    EVERYTHING,
    FACTS,
    GOLDEN,
    LIVE,
    POLICY,
    SECRET_VALUES,
    WALLET,
    container_of,
    environment_of,
    golden,
    market,
    objects_of,
)

from kabobagool_operator.arbmarket_status import TokenPair
from kabobagool_operator.bot_pod import COMMAND, USER
from kabobagool_operator.deployment import MODE_VALUES, config_hash, desired
from kabobagool_operator.labels import BOT, COMPONENT, CONFIG_HASH, INSTANCE, LABELS, MANAGED_BY, MANAGER, MODE, PART_OF
from kabobagool_operator.policy import Policy

Object = dict[str, Any]
ROOT = Path(__file__).parents[2]


def pod_of(**spec: Any) -> Object:
    found: Object = objects_of(market(**spec)).deployment["spec"]["template"]["spec"]
    return found


def variables(deployment: Object) -> dict[str, Object]:
    return {entry["name"]: entry["valueFrom"]["secretKeyRef"] for entry in container_of(deployment)["env"]}


def test_the_objects_are_those_that_were_reviewed() -> None:
    """A change of the hash in there replaces the bots of every fleet when its operator is upgraded."""
    assert golden() == GOLDEN.read_text(), (
        "after a change that is meant: python -m tests.operator.bot_objects > tests/operator/golden_deployment.yaml"
    )


def test_there_is_one_pod_and_never_two_that_overlap() -> None:
    spec = objects_of(market()).deployment["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_a_bot_may_do_nothing_in_the_cluster_and_little_on_its_node() -> None:
    pod = pod_of(**EVERYTHING)
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
    own = pod["containers"][0]["securityContext"]
    assert own == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert all(volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"])


def test_a_bot_runs_as_the_user_of_its_image_and_writes_where_its_volumes_are() -> None:
    image = (ROOT / "Dockerfile.bot").read_text()
    assert f"USER {USER}:{USER}" in image
    folders = [mount["mountPath"] for mount in pod_of()["containers"][0]["volumeMounts"]]
    assert "/tmp" in folders
    journal = environment_of(market())["JOURNAL_PATH"]
    assert any(journal.startswith(f"{folder}/") for folder in folders)


def test_the_image_knows_the_command() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    assert re.search(rf"^{COMMAND[0]} *=", project, re.MULTILINE)
    assert COMMAND[1] == "run"


@pytest.mark.parametrize("seconds", [5, 60, 3600])
def test_a_bot_is_not_killed_before_its_drain_may_end(seconds: int) -> None:
    wanted = objects_of(market(drainTimeoutSeconds=seconds))
    grace = wanted.deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > int(wanted.config_map["data"]["DRAIN_TIMEOUT_S"]) == seconds


def test_old_prices_make_a_bot_not_ready_and_do_not_kill_it() -> None:
    container = pod_of()["containers"][0]
    asked = {probe: container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert asked == {"startupProbe": "/status", "livenessProbe": "/status", "readinessProbe": "/health"}
    assert container["ports"] == [{"name": "metrics", "containerPort": 8080, "protocol": "TCP"}]
    assert all(container[probe]["httpGet"]["port"] == "metrics" for probe in asked)


def test_a_dry_run_gets_no_key_even_when_a_secret_is_named() -> None:
    wanted = objects_of(market(credentials=LIVE["credentials"]))
    assert variables(wanted.deployment) == {"REDIS_URL": {"name": "gate", "key": "REDIS_URL", "optional": False}}
    assert objects_of(market(), POLICY.model_copy(update={"bot_redis_secret": None})).deployment != wanted.deployment


def test_a_live_bot_gets_the_keys_that_it_may_need_and_no_others() -> None:
    asked = variables(objects_of(market(**LIVE)).deployment)
    assert {name: ref["optional"] for name, ref in asked.items() if ref["name"] == "polymarket-wallet"} == {
        "PRIVATE_KEY": False,
        "PROXY_ADDRESS": True,
        "SIGNATURE_TYPE": True,
        "CLOB_API_KEY": True,
        "CLOB_API_SECRET": True,
        "CLOB_API_PASSPHRASE": True,
        "CLOB_PROXY_URL": True,
    }
    assert all(ref["key"] == name for name, ref in asked.items())


def test_a_paper_bot_gets_the_key_of_the_play_wallet_and_no_other_secret() -> None:
    asked = variables(objects_of(market(mode="Paper"), AT_PAPER).deployment)
    assert asked == {
        "REDIS_URL": {"name": "gate", "key": "REDIS_URL", "optional": False},
        "PRIVATE_KEY": {"name": "play-wallet", "key": "PRIVATE_KEY", "optional": False},
    }


@pytest.mark.parametrize(
    ("policy", "spec", "own"),
    [(AT_PAPER, {"mode": "Paper"}, "paper_redis_secret"), (POLICY, LIVE, "live_redis_secret")],
    ids=["paper", "live"],
)
def test_bots_of_a_mode_have_a_user_of_the_gate_of_their_own_where_one_is_given(policy: Policy, spec: Object, own: str) -> None:
    def gate_of(policy: Policy, **spec: Any) -> str:
        return str(variables(objects_of(market(**spec), policy).deployment)["REDIS_URL"]["name"])

    given = policy.model_copy(update={own: "narrow"})
    assert (gate_of(policy, **spec), gate_of(given, **spec), gate_of(given)) == ("gate", "narrow", "gate")
    alone = given.model_copy(update={"bot_redis_secret": None})
    assert gate_of(alone, **spec) == "narrow"
    assert "REDIS_URL" not in variables(objects_of(market(), alone).deployment)


def test_a_wallet_that_the_resource_names_is_not_taken_from_the_secret() -> None:
    wanted = objects_of(market(mode="Live", credentials={"secretName": "x", "walletAddress": WALLET}))
    assert wanted.config_map["data"]["PROXY_ADDRESS"] == WALLET
    assert "PROXY_ADDRESS" not in variables(wanted.deployment)


def test_the_configuration_is_the_one_of_the_hash_and_cannot_be_edited() -> None:
    wanted = objects_of(market())
    name = wanted.config_map["metadata"]["name"]
    assert wanted.config_map["immutable"] is True
    assert wanted.config_map["data"] == environment_of(market())
    assert container_of(wanted.deployment)["envFrom"] == [{"configMapRef": {"name": name}}]
    assert wanted.deployment["spec"]["template"]["metadata"]["annotations"] == {CONFIG_HASH: wanted.hash}
    assert name.endswith(wanted.hash)


def test_both_objects_are_labelled_as_documented_and_go_with_their_market() -> None:
    wanted = objects_of(market(**LIVE))
    for body in (wanted.config_map, wanted.deployment):
        metadata = body["metadata"]
        assert metadata["labels"].keys() <= LABELS.keys()
        assert (metadata["labels"][MANAGED_BY], metadata["labels"][INSTANCE], metadata["labels"][MODE]) == (MANAGER, "rain", "live")
        (owner,) = metadata["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("ArbMarket", "6f1d", True)
    template = wanted.deployment["spec"]["template"]["metadata"]["labels"]
    assert wanted.deployment["spec"]["selector"]["matchLabels"].items() <= template.items()


def test_the_pods_of_all_bots_are_found_by_two_labels_and_by_the_name_of_their_port() -> None:
    """What a Service, a PodMonitor and a NetworkPolicy select by."""
    for asked, policy in ((market(), POLICY), (market("snow", **LIVE), POLICY), (market("hail", mode="Paper"), AT_PAPER)):
        template = objects_of(asked, policy).deployment["spec"]["template"]
        labels = template["metadata"]["labels"]
        assert {MANAGED_BY: MANAGER, COMPONENT: BOT, PART_OF: MANAGER, INSTANCE: asked.metadata.name}.items() <= labels.items()
        assert labels[MODE] == MODE_VALUES[asked.spec.mode]
        (container,) = template["spec"]["containers"]
        assert [port["name"] for port in container["ports"]] == ["metrics"]


def test_what_can_change_is_not_part_of_the_selector() -> None:
    """A selector never changes: a Deployment whose mode changes would have to be made anew."""
    dry, live = objects_of(market()).deployment["spec"], objects_of(market(**LIVE)).deployment["spec"]
    assert dry["selector"] == live["selector"]
    assert dry["template"]["metadata"]["labels"] != live["template"]["metadata"]["labels"]


def test_the_longest_name_makes_labels_that_the_cluster_takes() -> None:
    wanted = objects_of(market(name="a" * 63))
    assert all(len(value) <= 63 for value in wanted.deployment["metadata"]["labels"].values())
    assert len(wanted.config_map["metadata"]["name"]) <= 253


def test_what_the_market_does_not_say_of_its_pod_is_as_the_operator_was_installed() -> None:
    installed = POLICY.model_copy(
        update={
            "bot_node_selector": {"disk": "ssd"},
            "bot_tolerations": ({"operator": "Exists"},),
            "bot_affinity": {"podAffinity": {}},
            "bot_priority_class": "traders",
            "bot_image_pull_secrets": ("registry",),
            "bot_image_pull_policy": "Always",
        }
    )
    pod = objects_of(market(), installed).deployment["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"disk": "ssd"}
    assert pod["tolerations"] == [{"operator": "Exists"}]
    assert pod["affinity"] == {"podAffinity": {}}
    assert pod["priorityClassName"] == "traders"
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert (pod["containers"][0]["image"], pod["containers"][0]["imagePullPolicy"]) == (POLICY.bot_image, "Always")
    assert objects_of(market(bot={"nodeSelector": {}}), installed).deployment["spec"]["template"]["spec"].get("nodeSelector") is None
    own = objects_of(market(**EVERYTHING), installed).deployment["spec"]["template"]["spec"]
    assert own["nodeSelector"] == {"pool": "bots"}
    assert own["tolerations"] == EVERYTHING["bot"]["tolerations"]
    assert own["priorityClassName"] == "traders"
    assert own["containers"][0]["image"] == "registry.example/bot:2.0"


def test_amounts_are_the_markets_one_by_one() -> None:
    assert pod_of(**EVERYTHING)["containers"][0]["resources"] == {
        "requests": {"cpu": "0.1", "memory": "96Mi", "ephemeral-storage": "1024Mi"},
        "limits": {"memory": "512Mi", "cpu": 1},
    }


CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a strategy": ({"strategy": {"maxPairCost": "0.97"}}, {}),
    "a profile": ({"profile": "crypto"}, {}),
    "a drain": ({"drainTimeoutSeconds": 61}, {}),
    "a mode": (LIVE, {}),
    "an image": ({"bot": {"image": "bot:2"}}, {}),
    "resources": ({"bot": {"resources": {"limits": {"memory": "1Gi"}}}}, {}),
    "a placement": ({"bot": {"nodeSelector": {"a": "b"}}}, {}),
    "everybody's image": ({}, {"bot_image": "bot:2"}),
    "everybody's variables": ({}, {"bot_environment": {"ORDER_RATE": "3"}}),
    "everybody's gate": ({}, {"bot_redis_secret": "another"}),
    "the venue's address": ({}, {"clob_url": "https://other.example"}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_needs_a_new_pod_changes_the_hash(what: str) -> None:
    spec, policy = CHANGES[what]
    assert objects_of(market(**spec), POLICY.model_copy(update=policy)).hash != objects_of(market()).hash


def test_what_needs_no_new_pod_does_not_change_the_hash() -> None:
    """Among these what the venue changes every day, and what another installation of the same operator has."""
    before = objects_of(market()).hash
    unconcerned = {"max_pending": 3, "bot_environment": {"TAKER_FEE_BPS": ""}, "workers": 2, "identity": "operator-1", "lease_s": 30.0}
    assert objects_of(market(uid="another"), POLICY.model_copy(update=unconcerned)).hash == before
    assert objects_of(market(suspend=True, market={"conditionId": FACTS.condition_id})).hash == before
    moved = FACTS.model_copy(update={"tick_size": "0.001", "question": "Really?", "slug": "rain-2", "tokens": TokenPair(yes="1", no="2")})
    assert desired(market(), moved, environment_of(market()), POLICY).hash == before


@given(st.dictionaries(st.text(), st.text()), st.randoms(use_true_random=False))
def test_the_hash_knows_no_order(environment: dict[str, str], random: Any) -> None:
    names = list(environment)
    random.shuffle(names)
    pod = {"a": {"x": 1, "y": [1, 2]}, "b": 2}
    assert config_hash(environment, pod) == config_hash({name: environment[name] for name in names}, {"b": 2, "a": {"y": [1, 2], "x": 1}})
    assert config_hash(environment, pod) != config_hash(environment, {"a": {"x": 1, "y": [2, 1]}, "b": 2})


@settings(deadline=None)
@given(STRATEGIES.filter(lambda given: "edgeBuffer" not in given), BOTS, st.booleans())
def test_whatever_is_asked_for_the_objects_are_json_without_secrets_and_belong_together(strategy: Any, bot: Any, live: bool) -> None:
    wanted = objects_of(market(strategy=strategy, bot=bot, **(LIVE if live else {})))
    text = json.dumps([wanted.config_map, wanted.deployment])
    assert not any(secret in text for secret in SECRET_VALUES.values())
    assert not any("value" in entry for entry in container_of(wanted.deployment)["env"])
    assert wanted.config_map["metadata"]["name"] in text.partition('"Deployment"')[2]
    assert all(isinstance(value, str) for value in wanted.config_map["data"].values())
