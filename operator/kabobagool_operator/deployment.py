"""What a market's bot is in the cluster: one ConfigMap with its configuration, one Deployment with one Pod.

`observe.py` compares it with what there is, `apply_plan.py` applies it. Pure. The ConfigMap is named by its hash and cannot be edited, so
that a Pod starts with the configuration of its own template or not at all, however long a rollout takes and whoever dies in the middle.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_spec import Mode
from kabobagool_operator.arbmarket_status import MarketFacts
from kabobagool_operator.bot_pod import pod_spec
from kabobagool_operator.kinds import ARB_MARKET, CONFIG_MAP, DEPLOYMENT
from kabobagool_operator.labels import BOT, CANARY, COMPONENT, CONFIG_HASH, INSTANCE, MANAGED_BY, MANAGER, MARKET, MODE, NAME, PART_OF
from kabobagool_operator.policy import Policy

Body = dict[str, Any]

BOT_NAME: Final = "kabobagool-bot"
MARKET_DIGITS: Final = 20
HASH_DIGITS: Final = 12
MODE_VALUES: Final = {Mode.DRY_RUN: "dry-run", Mode.PAPER: "paper", Mode.LIVE: "live"}
STARTS_WITHIN_S: Final = 300
"""After this the Deployment itself says that it makes no progress."""


class Desired(msgspec.Struct, frozen=True):
    """Two objects to apply, the ConfigMap first, and the hash of all that needs a new Pod when it changes."""

    config_map: Body
    deployment: Body
    hash: str

    def as_canary(self) -> "Desired":
        """The same for a bot that tries it for the others. The Deployment alone says so: its Pod is none the newer for it."""
        metadata = {**self.deployment["metadata"], "annotations": {CANARY: "true"}}
        return msgspec.structs.replace(self, deployment={**self.deployment, "metadata": metadata})


def desired(market: ArbMarket, facts: MarketFacts, environment: Mapping[str, str], policy: Policy) -> Desired:
    """What the bot of a market should be, with one replica; `environment` is that of `bot_config.bot_environment`."""
    labels = _labels(market, facts)
    pod = pod_spec(market.spec, policy, knows_wallet="PROXY_ADDRESS" in environment)
    digest = config_hash(environment, {"labels": labels, "spec": pod})
    name = config_map_name(market.metadata.name, digest)
    config_map = {"metadata": _metadata(market, name, labels), "immutable": True, "data": dict(environment)}
    template = {"metadata": {"labels": labels, "annotations": {CONFIG_HASH: digest}}, "spec": _with_configuration(pod, name)}
    deployment = {"metadata": _metadata(market, market.metadata.name, labels), "spec": _deployment_spec(template)}
    return Desired(
        config_map={"apiVersion": CONFIG_MAP.api_version, "kind": CONFIG_MAP.name, **config_map},
        deployment={"apiVersion": DEPLOYMENT.api_version, "kind": DEPLOYMENT.name, **deployment},
        hash=digest,
    )


def config_hash(environment: Mapping[str, str], pod: Mapping[str, Any]) -> str:
    """Hash of what a Pod is made from, whatever the order it is written in.

    All of it counts, and nothing else: what is missing here would be put right at once in the whole fleet, as if somebody had edited it,
    and not a few bots at a time.
    """
    text = json.dumps({"environment": environment, "pod": pod}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]


def config_map_name(market: str, digest: str) -> str:
    """The name of the ConfigMap with the configuration of this hash."""
    return f"{market}-{digest}"


def _deployment_spec(template: Body) -> Body:
    labels = template["metadata"]["labels"]
    return {
        "replicas": 1,
        "revisionHistoryLimit": 1,
        "progressDeadlineSeconds": STARTS_WITHIN_S,
        "strategy": {"type": "Recreate"},  # two bots of one market would fight for its lease
        "selector": {"matchLabels": {label: labels[label] for label in (MANAGED_BY, NAME, INSTANCE)}},
        "template": template,
    }


def _labels(market: ArbMarket, facts: MarketFacts) -> dict[str, str]:
    return {
        MANAGED_BY: MANAGER,
        NAME: BOT_NAME,
        INSTANCE: market.metadata.name,
        COMPONENT: BOT,
        PART_OF: MANAGER,
        MARKET: facts.condition_id.removeprefix("0x")[:MARKET_DIGITS],
        MODE: MODE_VALUES[market.spec.mode],
    }


def _metadata(market: ArbMarket, name: str, labels: Mapping[str, str]) -> Body:
    owner = {
        "apiVersion": ARB_MARKET.api_version,
        "kind": ARB_MARKET.name,
        "name": market.metadata.name,
        "uid": market.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {"name": name, "namespace": market.metadata.namespace, "labels": dict(labels), "ownerReferences": [owner]}


def _with_configuration(pod: Body, config_map: str) -> Body:
    """The hash names the ConfigMap, so its name cannot be part of what is hashed."""
    container = {**pod["containers"][0], "envFrom": [{"configMapRef": {"name": config_map}}]}
    return {**pod, "containers": [container]}
