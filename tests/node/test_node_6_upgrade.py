"""Changes that people make on purpose, during trading: other values, the way back, and a second fleet on the same wallet."""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.cluster.kubectl import Kubectl
from tests.node.faults import Fault, said
from tests.node.fleet import BOTS, Fleet, is_ready
from tests.node.helm import CHART, Helm
from tests.node.patience import until
from tests.node.places import Place
from tests.node.prepare import Prepared
from tests.node.release import NAMESPACE, PINNED, RELEASE, Values, pin, restricted_namespace, values_for

SECOND = "second"
SECOND_NAMESPACE = "kabobagool-second"
WAY_IN = "from-the-second-fleet"
HASH = "kabobagool.io/config-hash"


def test_an_upgrade_rolls_the_bots_and_a_rollback_brings_them_back_while_they_trade(
    fleet: Fleet, helm: Helm, place: Place, fault: Fault
) -> None:
    before = _hashes(fleet)
    changed = values_for(place) | {"bot": {"environment": {"COOLDOWN_MAX_S": "7"}}}
    with fault("helm upgrade with other settings of the bots") as step, ThreadPoolExecutor() as beside:
        upgraded = beside.submit(helm, "upgrade", RELEASE, str(CHART), "--values", helm.values_file(changed), "--wait", "--timeout", "5m")
        try:  # the bots that wait for their turn may have had it before helm is satisfied
            said(step, fleet.until_condition("Ready", "RolloutPending"))
        finally:
            upgraded.result()
        until("every bot has the new settings", lambda: _hashes(fleet), lambda now: not before & now)
    with fault("helm rollback"):
        helm("rollback", RELEASE, "--wait", "--timeout", "5m")
        until("every bot has the old settings", lambda: _hashes(fleet), lambda now: now == before)


def test_of_two_fleets_on_one_wallet_one_trades_and_the_other_says_that_it_waits(
    fleet: Fleet, place: Place, prepared: Prepared, fault: Fault
) -> None:
    with fault("two releases' bots on one wallet and market") as step, _second_fleet(fleet, place, prepared) as second:
        said(step, until("the second says who trades", lambda: _names_the_other_bot(second)))
        fleet.kubectl("delete", "pod", fleet.bots()[PINNED]["metadata"]["name"], "--grace-period=0", "--force")
        until("one of the two holds the market", lambda: _traders(fleet, second), lambda traders: len(traders) == 1)
        fleet.exchange.nothing_was_bought_twice()


@contextmanager
def _second_fleet(fleet: Fleet, place: Place, prepared: Prepared) -> Iterator[Fleet]:
    """Another release in another namespace whose bots use the first one's gate, exchange and wallet, with the pinned market applied."""
    kubectl = place.kubectl(SECOND_NAMESPACE)
    helm = Helm(prepared.helm, place.kubeconfig, SECOND_NAMESPACE)
    _apply(place.kubectl(None), restricted_namespace(SECOND_NAMESPACE), *_shared_gate(fleet.kubectl), _way_in())
    try:
        helm("install", SECOND, str(CHART), "--values", helm.values_file(_values(place)))
        second = Fleet(kubectl, fleet.api, SECOND_NAMESPACE, f"{SECOND}-kabobagool")
        _lead_to_the_first_exchange(second)
        _apply(kubectl, pin(fleet.exchange.made_up(), drainTimeoutSeconds=5))
        yield second
    finally:
        helm.run("uninstall", SECOND, "--wait", "--timeout", "5m")
        kubectl.run("delete", "namespace", SECOND_NAMESPACE, "--wait=false")
        fleet.kubectl.run("delete", "networkpolicy", WAY_IN)


def _values(place: Place) -> Values:
    values = values_for(place)
    values["operator"] |= {"replicas": 1}
    values["networkPolicies"] = {"enabled": False}
    return values | {
        "crds": {"enabled": False},
        "rbac": {"aggregateRoles": False},
        "discovery": {"enabled": False},
        "redis": {"enabled": False},
        "externalRedis": {"secrets": {client: f"shared-{client.lower()}" for client in ("operator", "dryRun", "paper")}},
    }


def _lead_to_the_first_exchange(second: Fleet) -> None:
    exchange = f"{RELEASE}-paper.{NAMESPACE}.svc:8899"
    venue = {"GAMMA_URL": f"http://{exchange}/gamma", "CLOB_URL": f"http://{exchange}", "WS_URL": f"ws://{exchange}/ws/market"}
    operator = f"deployment/{second.release}-operator"
    second.kubectl("set", "env", operator, *(f"KABOBAGOOL_{name}={url}" for name, url in venue.items()))
    second.rolled_out(operator)


def _shared_gate(kubectl: Kubectl) -> Iterator[Values]:
    """The first release's own Secrets, with the server's name as it is known from another namespace."""
    for client, name in (("operator", "operator"), ("dryrun", "dry-run"), ("paper", "paper")):
        data = kubectl.json("get", "secret", f"{RELEASE}-gate-{name}")["data"]
        url = base64.b64decode(data["REDIS_URL"]).decode().replace(f"@{RELEASE}-redis:", f"@{RELEASE}-redis.{NAMESPACE}.svc:")
        metadata = {"name": f"shared-{client}", "namespace": SECOND_NAMESPACE}
        yield {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"REDIS_URL": url}}


def _way_in() -> Values:
    """The first release lets nobody in from elsewhere unless its user says so."""
    there = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": SECOND_NAMESPACE}}}
    servers = {"matchExpressions": [{"key": "app.kubernetes.io/component", "operator": "In", "values": ["redis", "paper"]}]}
    spec = {"podSelector": servers, "ingress": [{"from": [there]}]}
    metadata = {"name": WAY_IN, "namespace": NAMESPACE}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def _apply(kubectl: Kubectl, *objects: Values) -> None:
    kubectl("apply", "--filename", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def _hashes(fleet: Fleet) -> set[str]:
    deployments = fleet.objects("deployments", BOTS).values()
    return {body["spec"]["template"]["metadata"]["annotations"][HASH] for body in deployments}


def _names_the_other_bot(fleet: Fleet) -> str:
    """What is said of the bot that waits; empty while nothing is."""
    held = fleet.has_condition("Degraded", "LeaseHeldElsewhere", market=PINNED)
    ended = fleet.has_condition("Degraded", "CrashLoop", market=PINNED)
    return held or (ended if "another bot trades market" in ended else "")


def _traders(*fleets: Fleet) -> list[str]:
    """Namespaces whose bot of the pinned market is ready: one that is refused the market ends."""
    pods = {fleet.namespace: fleet.bots().get(PINNED) for fleet in fleets}
    return [namespace for namespace, pod in pods.items() if pod is not None and is_ready(pod)]
