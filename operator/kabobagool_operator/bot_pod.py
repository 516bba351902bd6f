"""The Pod of a bot: one container that may do nothing but trade, asked for its health, and given time to hedge when it has to end.

`deployment.py` wraps it. It keeps to the `restricted` Pod Security level, holds no token of the cluster, and writes nowhere but into two
small folders that vanish with it: what must outlive a Pod is at the order gate and at the venue.
"""

from collections.abc import Mapping
from typing import Any, Final

from kabobagool_operator.arbmarket_spec import Bot, Mode, Spec
from kabobagool_operator.bot_config import HEALTH_PORT, STATE_FOLDER
from kabobagool_operator.policy import Policy

Body = dict[str, Any]

CONTAINER: Final = "bot"
COMMAND: Final = ("kabobagool", "run")
PORT_NAME: Final = "metrics"
USER: Final = 65532
"""User and group of the bot's image."""
GRACE_S: Final = 15
"""So much longer than its drain may take has a bot to end before it is killed."""
FOLDERS: Final = {"state": (STATE_FOLDER, "64Mi"), "tmp": ("/tmp", "16Mi")}  # noqa: S108, a volume of the Pod's own
OPTIONAL_SECRETS: Final = ("SIGNATURE_TYPE", "CLOB_API_KEY", "CLOB_API_SECRET", "CLOB_API_PASSPHRASE", "CLOB_PROXY_URL")


def pod_spec(spec: Spec, policy: Policy, *, knows_wallet: bool) -> Body:
    """The Pod's spec, without the name of its ConfigMap. `knows_wallet`: its address is part of the configuration, not of the Secret."""
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": spec.drain_timeout_seconds + GRACE_S,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(spec, policy, knows_wallet=knows_wallet)],
        "volumes": [{"name": name, "emptyDir": {"sizeLimit": size}} for name, (_, size) in FOLDERS.items()],
        **_placement(spec.bot, policy),
    }


def _container(spec: Spec, policy: Policy, *, knows_wallet: bool) -> Body:
    return {
        "name": CONTAINER,
        "image": spec.bot.image or policy.bot_image,
        "imagePullPolicy": policy.bot_image_pull_policy,
        "command": list(COMMAND),
        "env": [*_gate(spec.mode, policy), *_credentials(spec, policy, knows_wallet=knows_wallet)],
        "ports": [{"name": PORT_NAME, "containerPort": HEALTH_PORT, "protocol": "TCP"}],
        "resources": _resources(spec.bot, policy),
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
        # What the bot said last explains a crash better than its exit status does; its log never holds secrets.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": name, "mountPath": path} for name, (path, _) in FOLDERS.items()],
        **_probes(),
    }


def _probes() -> Body:
    """Old prices make a bot not ready, and are no reason to kill it: it looks for new ones itself, and may have a leg to hedge.

    What is killed is a process that answers nothing at all. A bot of which one part died ends by itself.
    """
    return {
        "startupProbe": {**_asks("/status"), "periodSeconds": 2, "failureThreshold": 60},
        "livenessProbe": {**_asks("/status"), "periodSeconds": 10, "failureThreshold": 6},
        "readinessProbe": {**_asks("/health"), "periodSeconds": 5, "failureThreshold": 2},
    }


def _asks(path: str) -> Body:
    return {"httpGet": {"path": path, "port": PORT_NAME}, "timeoutSeconds": 5}


def _gate(mode: Mode, policy: Policy) -> list[Body]:
    own = {Mode.PAPER: policy.paper_redis_secret, Mode.LIVE: policy.live_redis_secret}.get(mode)
    secret = own or policy.bot_redis_secret
    return [] if secret is None else [_from_secret("REDIS_URL", secret)]


def _credentials(spec: Spec, policy: Policy, *, knows_wallet: bool) -> list[Body]:
    """A dry run gets no key, and a paper bot none but the play wallet's: what they do not have they cannot lose."""
    if spec.mode is Mode.PAPER and policy.paper_wallet_secret is not None:
        return [_from_secret("PRIVATE_KEY", policy.paper_wallet_secret)]
    if spec.mode is not Mode.LIVE or spec.credentials is None:
        return []
    secret = spec.credentials.secret_name
    optional = OPTIONAL_SECRETS if knows_wallet else ("PROXY_ADDRESS", *OPTIONAL_SECRETS)
    return [_from_secret("PRIVATE_KEY", secret), *(_from_secret(name, secret, optional=True) for name in optional)]


def _from_secret(name: str, secret: str, *, optional: bool = False) -> Body:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": name, "optional": optional}}}


def _resources(bot: Bot, policy: Policy) -> Body:
    """Amount by amount: what the ArbMarket does not give is as the operator was installed with."""
    asked = bot.resources.model_dump(by_alias=True, exclude_none=True) if bot.resources else {}
    merged = {sort: {**policy.bot_resources.get(sort, {}), **asked.get(sort, {})} for sort in ("requests", "limits")}
    return {sort: amounts for sort, amounts in merged.items() if amounts}


def _placement(bot: Bot, policy: Policy) -> Body:
    """Where the Pod may run, each as a whole from the ArbMarket or else as the operator was installed with; what is empty is left out."""
    own = bot.model_dump(mode="json", by_alias=True, exclude_none=True)
    installed: Mapping[str, Any] = {
        "nodeSelector": policy.bot_node_selector,
        "tolerations": list(policy.bot_tolerations),
        "affinity": policy.bot_affinity,
        "priorityClassName": policy.bot_priority_class,
        "imagePullSecrets": [{"name": name} for name in policy.bot_image_pull_secrets],
    }
    chosen = {field: own.get(field, value) for field, value in installed.items()}
    return {field: value for field, value in chosen.items() if value}
