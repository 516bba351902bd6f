"""What a user sees after `helm install` and nothing else: a fleet that trades, its numbers, its page and its metrics."""

import asyncio
import urllib.request

from playwright.async_api import expect
from tests.cluster.kubectl import Kubectl
from tests.node.fleet import Fleet
from tests.node.forward import port_forward
from tests.node.helm import Helm
from tests.node.patience import until
from tests.node.places import Place
from tests.node.release import NAMESPACE, PINNED, RECORDED, RELEASE
from tests.node.steps import Steps
from tests.operator.fleet_page_rig import window


def test_kubectl_get_arb_shows_phases_and_numbers(fleet: Fleet, kubectl: Kubectl, steps: Steps) -> None:
    with steps.timed("bots trade, kubectl get arb shows it"):
        until("a market with shares", lambda: [name for name in fleet.markets() if _shares(fleet, name) > 0])
        lines = kubectl("get", "arb").splitlines()
    assert len(lines) == 1 + RECORDED + 1
    assert all("Running" in line and "Paper" in line for line in lines[1:]), lines


def test_every_bots_own_record_is_the_exchanges_ledger_to_the_micro_dollar(fleet: Fleet, steps: Steps) -> None:
    fleet.trades_again()
    with steps.timed("ledger and bots agree to the micro-dollar") as step:
        agreed = fleet.agrees()
        fleet.exchange.nothing_was_bought_twice()
        spent = sum(record["spent"] for record in agreed.values())
        step.note(f"{fleet.exchange.trades()} trades, ${spent / 1_000_000:.6f} spent in {len(agreed)} markets")
    assert spent > 0


def test_the_market_that_was_applied_by_hand_is_traded_and_not_touched_by_discovery(fleet: Fleet) -> None:
    until("it has shares", lambda: _shares(fleet, PINNED) > 0)
    assert "kabobagool.io/origin" not in fleet.markets()[PINNED]["metadata"].get("labels", {})


def test_helm_test_says_that_the_operator_is_ready_and_the_gate_lets_it_in(fleet: Fleet, helm: Helm, steps: Steps) -> None:
    with steps.timed("helm test"):
        said = helm("test", RELEASE, "--logs")
    assert "lets the operator in" in said


async def test_the_fleet_page_shows_every_market_in_a_browser_through_a_port_forward(fleet: Fleet, place: Place, steps: Steps) -> None:
    with (
        steps.timed("the fleet page in Chromium, through kubectl port-forward"),
        port_forward(place.kubeconfig, NAMESPACE, f"service/{RELEASE}-operator", 8000) as url,
    ):
        await asyncio.to_thread(until, "the page", lambda: "<html" in _text(url))
        async with window(url) as opened:
            await expect(opened.page.locator("#mode")).to_have_text("LIVE · play money")
            await expect(opened.page.locator(".market")).to_have_count(RECORDED + 1)
            for chips in await opened.page.locator(".market .chips").all():
                await expect(chips).to_contain_text("running")
            await expect(opened.page.locator("#read-only")).to_be_visible()
            row = opened.row(fleet.markets()[PINNED]["status"]["market"]["slug"])
            await expect(row.locator(".conditions")).to_have_text("Resolved Ready Fresh Trading")
            await row.locator(".expand").click()
            await expect(row.locator(".detail")).to_contain_text(fleet.bots()[PINNED]["metadata"]["name"])
            assert opened.complaints == []


def test_operator_and_bots_give_their_metrics_to_whoever_may_ask(fleet: Fleet, kubectl: Kubectl) -> None:
    path = f"/api/v1/namespaces/{NAMESPACE}/services/{RELEASE}-operator:metrics/proxy/metrics"
    assert "controller_runtime_reconcile_total" in kubectl("get", "--raw", path)
    for pod in fleet.bots().values():
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod['metadata']['name']}:8080/proxy/metrics"
        assert "kabobagool" in kubectl("get", "--raw", path)


def test_every_bot_is_found_behind_the_headless_service(fleet: Fleet, kubectl: Kubectl) -> None:
    def addresses() -> set[str]:
        slices = kubectl.json("get", "endpointslices", "--selector", f"kubernetes.io/service-name={RELEASE}-bots")["items"]
        return {address for found in slices for endpoint in found["endpoints"] or () for address in endpoint["addresses"]}

    until("each bot's address", addresses, lambda found: found == {pod["status"]["podIP"] for pod in fleet.bots().values()})


def test_the_namespace_refuses_what_is_not_restricted(fleet: Fleet, kubectl: Kubectl) -> None:
    image = next(iter(fleet.bots().values()))["spec"]["containers"][0]["image"]
    refused = kubectl.run("run", "careless", f"--image={image}", "--dry-run=server")
    assert "violates PodSecurity" in refused.stderr
    running = fleet.objects("pods").values()
    assert all(pod["spec"]["securityContext"]["runAsUser"] == 65532 for pod in running)


def _shares(fleet: Fleet, market: str) -> float:
    position = fleet.markets()[market]["status"].get("position", {})
    return float(position.get("yesShares", 0))


def _text(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())
