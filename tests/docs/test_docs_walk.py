"""The pages from the first market to a live one, walked through on a real API server: it takes everything that they apply, in their order.

There are no nodes, so nothing is waited for and nothing is looked into; `tests/node` does that. Pod Security `restricted` is enforced.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.chart.chart_rig import ROOT, Helm
from tests.cluster.control_plane import ControlPlane
from tests.docs.pages import DOCS, fences
from tests.node.patience import until

CANNOT = {"exec", "logs", "wait", "port-forward", "--watch", "crd", "describe", "test", "uninstall"}
"""Words of commands that want a node, never end, or need what only a running operator makes; and what would end the walk."""


@pytest.fixture
def plane(kubernetes_binaries: None) -> Iterator[ControlPlane]:
    """Its own: definitions are of the whole cluster."""
    with ControlPlane() as own:
        yield own


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The reader's: with the files that the pages show, and the checkout's charts."""
    (tmp_path / "charts").symlink_to(ROOT / "charts")
    for page in ("first-market.md", "paper-to-live.md"):
        for text in fences(DOCS / page, "yaml"):
            if named := re.match(r"# ([a-z-]+\.yaml)\n", text):
                (tmp_path / named[1]).write_text(text)
    for file in ("dry-run.yaml", "live.yaml"):  # what they monitor with is another project's
        values = yaml.safe_load((tmp_path / file).read_text())
        (tmp_path / file).write_text(yaml.safe_dump({name: value for name, value in values.items() if name != "monitoring"}))
    (tmp_path / "market-live.yaml").write_text((DOCS / "examples" / "market-live.yaml").read_text())
    (tmp_path / "wallet.env").write_text("PRIVATE_KEY=0x1\n")
    return tmp_path


def steps(page: str) -> Iterator[list[str]]:
    """Every command of helm and kubectl in the fences of a page, from the namespace on."""
    for line in (line for fence in fences(DOCS / page, "") for line in fence.splitlines()):
        try:
            words = shlex.split(line.rpartition("| ")[2], comments=True)
        except ValueError:  # an apostrophe of a comment's
            continue
        if words[:1] in (["helm"], ["kubectl"]) and not CANNOT & set(words) and words[1:3] != ["delete", "namespace"]:
            yield words


def test_everything_that_is_applied_on_the_way_to_real_orders_is_taken(
    plane: ControlPlane, helm_binaries: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    helm, kubectl = Helm(kubeconfig=plane.kubeconfig), plane.kubectl()
    done = []
    for program, *words in [*steps("first-market.md"), *steps("paper-to-live.md")]:
        words = ["--from-literal=FLEET_TOKEN=x" if word.startswith("--from-file") else word for word in words if word != "--wait"]
        helm(*words) if program == "helm" else kubectl(*words)
        if words[0] == "install":  # with --wait the operator would have been ready, which it is not before its definition is served
            until("ArbMarkets are served", lambda: kubectl.run("get", "arb").returncode, lambda status: status == 0)
        done.append(program)
    assert (done.count("helm"), done.count("kubectl")) > (4, 6)
    operator = kubectl.json("--namespace", "trading", "get", "deployment", "kabobagool-operator")["spec"]["template"]["spec"]
    told = {variable["name"]: variable.get("value") for variable in operator["containers"][0]["env"]}
    assert told["KABOBAGOOL_DISCOVERY_MODE"] == "DryRun"
    assert told["KABOBAGOOL_LIVE_WALLET"] == "0x1111111111111111111111111111111111111111"
    live = kubectl.json("--namespace", "trading", "get", "arb", "fed-rate-hike-in-2026")
    assert live["spec"]["mode"] == "Live"
    helm("rollback", "kabobagool", "--namespace", "trading")
    helm("uninstall", "kabobagool", "--namespace", "trading", "--no-hooks")
