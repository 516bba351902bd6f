"""What of the chart is made from something else is as it would be made now, and no value is without its text."""

import importlib.util
import re
import tomllib
from types import ModuleType
from typing import Any

import pytest
import yaml
from tests.chart.chart_rig import CHART, ROOT, VALUES, Helm, of_kind, pods

SCRIPT = ROOT / "scripts" / "chart_files.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("chart_files", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_definition_of_arbmarkets_is_the_one_of_the_project(script: ModuleType, helm: Helm) -> None:
    assert (CHART / "templates" / "crds" / "arbmarkets.yaml").read_text() == script.crd_template()
    kept, loose = (of_kind(helm.template(values), "CustomResourceDefinition") for values in (None, {"crds": {"keep": False}}))
    source = yaml.safe_load(script.CRD.read_text())
    assert loose == {"arbmarkets.kabobagool.io": source}
    assert kept["arbmarkets.kabobagool.io"]["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert kept == loose
    assert of_kind(helm.template({"crds": {"enabled": False}}), "CustomResourceDefinition") == {}


def test_the_table_of_values_is_that_of_the_values(script: ModuleType) -> None:
    assert (CHART / "README.md").read_text() == script.readme()


def test_every_value_has_a_text_of_its_own_or_lies_below_one(script: ModuleType) -> None:
    told = {path for path, _ in script.documented((CHART / "values.yaml").read_text())}
    assert len(told) > 150

    def silent(value: object, path: tuple[str, ...]) -> list[str]:
        if any(path[:depth] in told for depth in range(1, len(path) + 1)):
            return []
        if not isinstance(value, dict) or not value:
            return [".".join(path)]
        return [name for inner, part in value.items() for name in silent(part, (*path, inner))]

    assert [name for key, value in VALUES.items() for name in silent(value, (key,))] == []


def test_every_text_is_a_sentence(script: ModuleType) -> None:
    texts = dict(script.documented((CHART / "values.yaml").read_text()))
    assert [path for path, text in texts.items() if not text.endswith((".", ":")) or "|" in text] == []


def test_every_value_is_read_by_a_template(script: ModuleType) -> None:
    templates = "".join(file.read_text() for file in (CHART / "templates").rglob("*") if file.is_file())
    names = {path[-1] for path, _ in script.documented((CHART / "values.yaml").read_text())}
    assert [name for name in sorted(names) if not re.search(rf"[.$\"(]{name}\b", templates)] == []


def test_the_chart_has_the_version_of_the_program_and_names_the_images_that_it_installs(helm: Helm) -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert chart["appVersion"] == project["version"]
    named = {entry["image"] for entry in yaml.safe_load(chart["annotations"]["artifacthub.io/images"])}
    bodies = helm.template()
    bot = next(variable["value"] for variable in operator_variables(bodies) if variable["name"] == "KABOBAGOOL_BOT_IMAGE")
    assert named == {container["image"] for _, _, spec in pods(bodies) for container in spec["containers"]} | {bot}
    example = yaml.safe_load(chart["annotations"]["artifacthub.io/crdsExamples"])
    assert example == [yaml.safe_load((ROOT / "docs" / "examples" / "market.yaml").read_text())]


def operator_variables(bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    spec = of_kind(bodies, "Deployment")["operator"]["spec"]["template"]["spec"]
    return list(spec["containers"][0]["env"])


def test_a_mistake_in_the_source_of_the_definition_is_said(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "NAME_LINE", "  name: something.else\n")
    with pytest.raises(ValueError, match=r"arbmarkets\.kabobagool\.io\.yaml: holds what a template"):
        script.crd_template()
