"""The ready-made Grafana and Prometheus of Docker Compose show the boards of the chart over the numbers of the fleet."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.compose.compose_file import compose, inline_config


def test_grafana_is_told_where_the_boards_and_the_numbers_are() -> None:
    service = compose()["services"]["grafana"]
    (provider,) = inline_config("grafana-dashboards")["providers"]
    assert f"./charts/kabobagool/dashboards:{provider['options']['path']}:ro" in service["volumes"]
    home = Path(service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (home.parent, home.name) == (Path(provider["options"]["path"]), "fleet.json")
    (source,) = inline_config("grafana-datasource")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert source["isDefault"] is True


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed (Debian: apt install prometheus), so it is not asked")
    return found


def test_prometheus_accepts_its_configuration(promtool: str, tmp_path: Path) -> None:
    config = tmp_path / "prometheus.yml"
    config.write_text(compose()["configs"]["prometheus"]["content"])
    checked = subprocess.run([promtool, "check", "config", str(config)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
