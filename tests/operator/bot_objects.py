"""ArbMarkets, policies and Pods as the tests of a bot's objects want them.

`python -m tests.operator.bot_objects` prints `golden_deployment.yaml`, the objects of one market for whoever reviews a change of them.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import yaml
from tests.support.paper import TEST_KEY

from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_status import MarketFacts, TokenPair
from kabobagool_operator.bot_config import bot_environment
from kabobagool_operator.bot_profiles import BotProfile, Profiles
from kabobagool_operator.deployment import Desired, desired
from kabobagool_operator.labels import CONFIG_HASH
from kabobagool_operator.policy import Policy

GOLDEN: Final = Path(__file__).with_name("golden_deployment.yaml")
CONDITION_ID: Final = "0x" + "ab" * 32
FACTS: Final = MarketFacts(slug="rain", question="Will it rain?", condition_id=CONDITION_ID, tokens=TokenPair(yes="111", no="222"))
WALLET: Final = "0x" + "11" * 20
LIVE: Final[dict[str, Any]] = {"mode": "Live", "credentials": {"secretName": "polymarket-wallet"}}
SECRET_VALUES: Final = {"PRIVATE_KEY": TEST_KEY, "CLOB_API_SECRET": "s3cr3t-of-the-venue"}
PLAY_WALLET: Final = "0x" + "9e" * 20
POLICY: Final = Policy(bot_image="registry.example/kabobagool-bot:1.0", bot_redis_secret="gate", namespace="bots")
AT_PAPER: Final = POLICY.model_copy(update={"paper_wallet": PLAY_WALLET, "paper_wallet_secret": "play-wallet"})
"""The policy of an installation with a paper exchange."""
EVERYTHING: Final[dict[str, Any]] = {
    "profile": "crypto",
    "strategy": {"maxPairCost": "0.975", "batchSize": "20", "hedgeTolerance": "30", "orphanLossCap": "1"},
    "drainTimeoutSeconds": 120,
    "bot": {
        "image": "registry.example/bot:2.0",
        "logLevel": "DEBUG",
        "resources": {"requests": {"cpu": "0.1", "ephemeral-storage": "1024Mi"}, "limits": {"memory": "512Mi", "cpu": 1}},
        "nodeSelector": {"pool": "bots"},
        "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "bots", "effect": "NoExecute", "tolerationSeconds": 60}],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]}]}]
                }
            }
        },
    },
}
"""All that a person may ask of a bot, but for what else would have to exist."""


def market(name: str = "rain", *, namespace: str = "bots", uid: str = "6f1d", **spec: Any) -> ArbMarket:
    """An ArbMarket of a person."""
    metadata = {"name": name, "namespace": namespace, "uid": uid, "resourceVersion": "1"}
    asked = {"market": {"slug": "rain"}, **spec}
    return ArbMarket.parse({"apiVersion": "kabobagool.io/v1alpha1", "kind": "ArbMarket", "metadata": metadata, "spec": asked})


def profile(**variables: str) -> BotProfile:
    """A profile with these variables."""
    return BotProfile("mine", variables)


def environment_of(asked: ArbMarket, policy: Policy = POLICY) -> dict[str, str]:
    """The environment of a market's bot, with the profile that it names among those that come with the program."""
    return bot_environment(asked, FACTS, policy, Profiles().profile(asked.spec.profile))


def objects_of(asked: ArbMarket, policy: Policy = POLICY) -> Desired:
    """What the bot of a market should be."""
    return desired(asked, FACTS, environment_of(asked, policy), policy)


def container_of(deployment: dict[str, Any]) -> dict[str, Any]:
    """The bot's container."""
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    return found


def golden() -> str:
    """The objects of the market in docs/examples/market-live.yaml, more or less."""
    asked = market(
        profile="conservative",
        strategy={"maxPairCost": "0.975", "batchSize": "20"},
        drainTimeoutSeconds=120,
        mode="Live",
        credentials={"secretName": "polymarket-wallet", "walletAddress": WALLET},
    )
    wanted = objects_of(asked)
    written: str = yaml.safe_dump_all([wanted.config_map, wanted.deployment], sort_keys=False, width=140)
    return written


POD: Final[dict[str, Any]] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "rain-5d8f7c9b6-x7k2p",
        "uid": "9c2b",
        "creationTimestamp": "2026-11-26T11:00:00Z",
        "annotations": {CONFIG_HASH: "h1"},
    },
    "spec": {"nodeName": "node-1", "containers": [{"name": "bot", "image": "registry.example/kabobagool-bot:1.0"}]},
    "status": {
        "phase": "Running",
        "conditions": [
            {"type": "Initialized", "status": "True"},
            {"type": "Ready", "status": "True"},
            {"type": "ContainersReady", "status": "True"},
            {"type": "PodScheduled", "status": "True"},
        ],
        "containerStatuses": [
            {
                "name": "bot",
                "ready": True,
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": "2026-11-26T11:00:04Z"}},
                "lastState": {},
                "image": "registry.example/kabobagool-bot:1.0",
            }
        ],
        "qosClass": "Burstable",
    },
}
"""A Pod that has been ready for an hour at noon."""


def pod(*, ready: bool = True, phase: str = "Running", container: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    """A Pod as the API server gives it; `container` changes the status of the bot's own."""
    body = deepcopy(POD)
    own = body["status"]["containerStatuses"][0]
    if not ready:
        body["status"]["conditions"][1]["status"] = "False"
        own["ready"] = False
    own |= container or {}
    body["status"] |= {"phase": phase, **status}
    return body


if __name__ == "__main__":
    print(golden(), end="")
