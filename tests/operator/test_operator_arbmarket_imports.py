"""Python starts where the repository is, and who reads ArbMarkets needs neither a signing library nor a Kubernetes client."""

import subprocess
import sys

import pytest
from tests.operator.arbmarket_bodies import ROOT


@pytest.mark.parametrize("options", [["-I"], []], ids=["isolated", "as a user starts it"])
def test_python_starts_at_the_root_of_the_repository(options: list[str]) -> None:
    started = subprocess.run([sys.executable, *options, "-c", "import collections, operator; operator.add(1, 2)"], cwd=ROOT, check=False)
    assert started.returncode == 0


def test_an_arbmarket_is_read_without_the_libraries_that_only_a_bot_or_a_cluster_client_has() -> None:
    heavy = ("coincurve", "sha3", "py_clob_client_v2", "httpx", "websockets", "redis", "kubernetes", "kopf")
    code = f"import sys, kabobagool_operator.arbmarket; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) == "[]\n"
