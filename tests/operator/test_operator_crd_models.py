"""The CRD and the models say the same: whoever reads `kubectl explain` reads what the operator means."""

import copy
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from annotated_types import Ge, Le, Lt
from tests.operator.arbmarket_bodies import CRD, SCHEMA, VERSION

from kabobagool.settings import FIELDS
from kabobagool.settings_fields import LogLevel, StrategyVariables
from kabobagool_operator.arbmarket import NAME_TOO_LONG, ArbMarket
from kabobagool_operator.arbmarket_fields import FIXES, FOUR_DECIMALS, SIX_DECIMALS
from kabobagool_operator.arbmarket_spec import (
    AMOUNTS,
    LIVE_NEEDS_A_KEY,
    ONE_WAY,
    PAPER_TAKES_NO_KEY,
    SOMETHING_LEFT,
    TWO_TOKENS,
    Spec,
    Strategy,
)
from kabobagool_operator.arbmarket_status import Status
from kabobagool_operator.kinds import ARB_MARKET

COMPARED = ("type", "enum", "default", "pattern", "minimum", "maximum", "required", "x-kubernetes-int-or-string")


def fields(node: dict[str, Any], at: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of a schema by its path, with what is said of its value."""
    yield at, {word: sorted(node[word]) if word in ("required", "enum") else node[word] for word in COMPARED if word in node}
    for name, child in node.get("properties", {}).items():
        yield from fields(child, f"{at}.{name}")
    if "items" in node:
        yield from fields(node["items"], f"{at}[]")
    if isinstance(node.get("additionalProperties"), dict):
        yield from fields(node["additionalProperties"], f"{at}.*")


def plain(node: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any]:
    """A schema of pydantic in the words of a CRD: no references, and what may be left out is not written as null."""
    if "$ref" in node:
        node = {**parts[node["$ref"].rpartition("/")[2]], **{word: value for word, value in node.items() if word != "$ref"}}
    if "anyOf" in node and {"type": "null"} in node["anyOf"]:
        kept = [choice for choice in node["anyOf"] if choice != {"type": "null"}]
        rest = {word: value for word, value in node.items() if word != "anyOf"}
        node = {**plain(kept[0], parts), **rest} if len(kept) == 1 else {**rest, "anyOf": kept}
    node = {word: value for word, value in node.items() if word != "default" or says_something(value)}
    if "properties" in node:
        node["properties"] = {name: plain(child, parts) for name, child in node["properties"].items()}
    for word in ("items", "additionalProperties"):
        if isinstance(node.get(word), dict):
            node[word] = plain(node[word], parts)
    return node


def says_something(default: Any) -> bool:
    return any(map(says_something, default.values())) if isinstance(default, dict) else default not in (None, [])


def of_model(model: type[Spec] | type[Status]) -> dict[str, Any]:
    schema = model.model_json_schema()
    return plain(schema, schema.get("$defs", {}))


def difference(crd: dict[str, Any], model: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Fields that the two do not say the same of: {path: (CRD, model)}."""
    first, second = dict(fields(crd, "")), dict(fields(model, ""))
    return {path: (first.get(path), second.get(path)) for path in first.keys() | second.keys() if first.get(path) != second.get(path)}


@pytest.mark.parametrize(("part", "model"), [("spec", Spec), ("status", Status)])
def test_fields_types_defaults_ranges_and_choices_are_the_same(part: str, model: type[Spec] | type[Status]) -> None:
    assert difference(SCHEMA["properties"][part], of_model(model)) == {}


@pytest.mark.parametrize(
    ("path", "word", "value"),
    [
        (("suspend",), "default", True),
        (("drainTimeoutSeconds",), "minimum", 6),
        (("mode",), "enum", ["DryRun"]),
        (("strategy", "properties", "maxPairCost"), "pattern", "^.*$"),
        (("market", "properties", "tokens"), "required", ["yes"]),
        (("bot", "properties", "nodeSelector", "additionalProperties"), "type", "integer"),
        (("bot", "properties"), "hostNetwork", {"type": "boolean"}),
    ],
)
def test_the_comparison_sees_a_change(path: tuple[str, ...], word: str, value: object) -> None:
    changed = copy.deepcopy(SCHEMA["properties"]["spec"])
    node = changed["properties"]
    for step in path:
        node = node[step]
    node[word] = value
    assert difference(changed, of_model(Spec))


def every_node(node: dict[str, Any], at: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield at, node
    for name, child in node.get("properties", {}).items():
        yield from every_node(child, f"{at}.{name}")
    if "items" in node:
        yield from every_node(node["items"], f"{at}[]")


def test_every_field_is_explained() -> None:
    silent = [path for path, node in every_node(SCHEMA, "") if not node.get("description", "").endswith(".") and path != ".metadata"]
    assert silent == []


def test_every_text_of_the_spec_has_a_longest_length_so_that_rules_stay_cheap() -> None:
    spec = SCHEMA["properties"]["spec"]
    free = [path for path, node in every_node(spec, "") if "pattern" in node and "maxLength" not in node]
    assert free == []


def test_a_length_that_the_models_limit_is_limited_alike() -> None:
    for part, model in (("spec", of_model(Spec)), ("status", of_model(Status))):
        in_crd = dict(every_node(SCHEMA["properties"][part], ""))
        limits = {path: node["maxLength"] for path, node in every_node(model, "") if "maxLength" in node}
        assert limits
        assert {path: in_crd[path]["maxLength"] for path in limits} == limits


def test_a_text_that_does_not_match_is_refused_with_the_fix_and_not_with_an_expression_alone() -> None:
    for path, node in every_node(SCHEMA["properties"]["spec"], "spec"):
        if node.get("type") == "string" and "pattern" in node and node["pattern"] not in (FOUR_DECIMALS, SIX_DECIMALS):
            (rule,) = node["x-kubernetes-validations"]
            assert node["pattern"] in rule["rule"], path
            assert rule["message"] == FIXES[node["pattern"]], path


STRATEGY: dict[str, Any] = SCHEMA["properties"]["spec"]["properties"]["strategy"]["properties"]


@pytest.mark.parametrize("variable", sorted(AMOUNTS))
def test_an_amount_has_the_range_of_the_bots_variable(variable: str) -> None:
    bounds = FIELDS[variable].metadata
    least = next(bound.ge for bound in bounds if isinstance(bound, Ge))
    most = next(
        f"('{bound.le}')) <= 0" if isinstance(bound, Le) else f"('{bound.lt}')) < 0" for bound in bounds if isinstance(bound, (Le, Lt))
    )
    decimals = next(bound.decimal_places for bound in bounds if hasattr(bound, "decimal_places"))
    field = STRATEGY[Strategy.model_fields[variable].alias or ""]
    assert (
        field["x-kubernetes-validations"][0]["rule"]
        == f"isQuantity(self) && quantity(self).compareTo(quantity('{least}')) >= 0 && quantity(self).compareTo(quantity{most}"
    )
    assert field["pattern"] == {4: FOUR_DECIMALS, 6: SIX_DECIMALS}[decimals]


def test_the_other_overrides_have_the_ranges_of_the_bots_variables() -> None:
    assert FIELDS["taker_fee_bps"].metadata == [Ge(STRATEGY["takerFeeBps"]["minimum"]), Le(STRATEGY["takerFeeBps"]["maximum"])]
    assert STRATEGY["entryMode"]["enum"] == list(get_args(StrategyVariables.model_fields["entry_mode"].annotation))
    log_level = SCHEMA["properties"]["spec"]["properties"]["bot"]["properties"]["logLevel"]
    assert log_level["enum"] == list(get_args(get_args(LogLevel)[0]))


def test_the_api_server_and_the_operator_refuse_with_the_same_words() -> None:
    said = {rule["message"] for _, node in every_node(SCHEMA, "") for rule in node.get("x-kubernetes-validations", ()) if "message" in rule}
    assert {NAME_TOO_LONG, LIVE_NEEDS_A_KEY, PAPER_TAKES_NO_KEY, ONE_WAY, SOMETHING_LEFT, TWO_TOKENS} <= said


def test_the_resource_is_known_under_one_name_everywhere() -> None:
    names = CRD["spec"]["names"]
    assert (f"{CRD['spec']['group']}/{VERSION['name']}", names["kind"], names["plural"]) == ARB_MARKET
    assert {ArbMarket.model_fields["api_version"].default, ArbMarket.model_fields["kind"].default} == {
        ARB_MARKET.api_version,
        ARB_MARKET.name,
    }
    assert CRD["metadata"]["name"] == f"{names['plural']}.{CRD['spec']['group']}"
    assert names["shortNames"] == ["arb"]
