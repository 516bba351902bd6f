"""The fixtures of the chart's tests."""

from pathlib import Path
from typing import Any

import pytest
from tests.chart.chart_rig import HELMS, Helm


@pytest.fixture
def helm(helm_binaries: None) -> Helm:
    """helm without a cluster."""
    return Helm()


@pytest.fixture(params=list(HELMS))
def each_helm(request: pytest.FixtureRequest, helm_binaries: None) -> Helm:
    """Every helm that users have, without a cluster."""
    return Helm(HELMS[request.param])


@pytest.fixture
def cluster_kubeconfig(control_plane: Any) -> Path:
    """The way to the real API server."""
    return Path(control_plane.kubeconfig)


@pytest.fixture
def helm_there(helm_binaries: None, cluster_kubeconfig: Path) -> Helm:
    """helm at the real API server."""
    return Helm(kubeconfig=cluster_kubeconfig)
