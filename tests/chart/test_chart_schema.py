"""A value that does not exist, or cannot be, is refused by name before anything is installed."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.chart.chart_rig import CHART, VALUES, Helm, HelmError

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
FREE = {"global", "profiles"}


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """A part of the schema, with what it refers to in its place."""
    name = part.get("$ref", "").removeprefix("#/definitions/")
    return SCHEMA["definitions"][name] if name else part


def schema_paths(part: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    part = resolved(part)
    if path:
        yield path
    for name, inner in part.get("properties", {}).items():
        yield from schema_paths(inner, (*path, name))


def value_paths(value: Any, part: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Only as deep as the schema has names of its own."""
    if path:
        yield path
    properties = resolved(part).get("properties", {})
    for name, inner in value.items() if isinstance(value, dict) and properties else ():
        yield from value_paths(inner, properties.get(name, {}), (*path, name))


def test_every_property_of_the_schema_is_a_value_and_every_value_a_property() -> None:
    known, given = set(schema_paths(SCHEMA)), set(value_paths(VALUES, SCHEMA))
    optional = {path for path in known if path[-1] in ("requests", "limits", "claims")}
    assert len(given) > 150
    assert known - optional - given == set()
    assert given - known == set()


def test_no_object_of_the_schema_takes_a_name_it_does_not_know() -> None:
    open_ones = [
        path for path in schema_paths(SCHEMA) if "properties" in (part := at(path)) and part.get("additionalProperties") is not False
    ]
    assert open_ones == [("global",)]
    assert SCHEMA["additionalProperties"] is False


def at(path: tuple[str, ...]) -> dict[str, Any]:
    part = SCHEMA
    for name in path:
        part = resolved(resolved(part)["properties"][name])
    return part


def test_every_definition_is_used() -> None:
    text = json.dumps(SCHEMA)
    assert [name for name in SCHEMA["definitions"] if f'"#/definitions/{name}"' not in text] == []


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"mode": "real"}, "mode"),
    ({"Mode": "live"}, "Mode"),
    ({"dryRun": True}, "dryRun"),
    ({"operator": {"replica": 3}}, "replica"),
    ({"operator": {"replicas": 0}}, "replicas"),
    ({"operator": {"replicas": "two"}}, "replicas"),
    ({"operator": {"logLevel": "verbose"}}, "logLevel"),
    ({"operator": {"terminationGracePeriodSeconds": 5}}, "terminationGracePeriodSeconds"),
    ({"operator": {"resources": {"limit": {"memory": "1Gi"}}}}, "limit"),
    ({"operator": {"resources": {"limits": {"memory": "1 GB"}}}}, "memory"),
    ({"operator": {"image": {"digest": "sha256:abc"}}}, "digest"),
    ({"operator": {"image": {"tag": "1"}}}, "tag"),
    ({"operator": {"rollout": {"canaries": -1}}}, "canaries"),
    ({"image": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
    ({"image": {"tag": "a b"}}, "tag"),
    ({"bot": {"environment": {"max-pair-cost": "1"}}}, "max-pair-cost"),
    ({"bot": {"environment": {"BATCH_SIZE": 10}}}, "BATCH_SIZE"),
    ({"discovery": {"mode": "dry"}}, "mode"),
    ({"discovery": {"intervalSeconds": 0}}, "intervalSeconds"),
    ({"discovery": {"maxMarkets": -1}}, "maxMarkets"),
    ({"credentials": {"privateKey": "0x1"}}, "privateKey"),
    ({"credentials": {"walletAddress": "0x12"}}, "walletAddress"),
    ({"credentials": {"otherWalletAddresses": ["mine"]}}, "otherWalletAddresses"),
    ({"credentials": {"existingSecret": "My Secret"}}, "existingSecret"),
    ({"profiles": {"Mine.env": ""}}, "Mine.env"),
    ({"profiles": {"mine": {"A": "b"}}}, "mine"),
    ({"paperExchange": {"books": "live"}}, "books"),
    ({"paperExchange": {"balance": "1e6"}}, "balance"),
    ({"redis": {"password": "secret"}}, "password"),
    ({"redis": {"auth": {"password": "secret"}}}, "password"),
    ({"redis": {"maxMemory": "lots"}}, "maxMemory"),
    ({"redis": {"persistence": {"accessModes": ["ReadOnlyMany"]}}}, "accessModes"),
    ({"externalRedis": {"host": "redis"}}, "host"),
    ({"externalRedis": {"secrets": {"bots": "x"}}}, "bots"),
    ({"fleetPage": {"token": "secret"}}, "token"),
    ({"networkPolicies": {"venue": {"cidrs": ["everywhere"]}}}, "cidrs"),
    ({"networkPolicies": {"apiServer": {"ports": [70000]}}}, "ports"),
    ({"podDisruptionBudget": {"maxUnavailable": 0}}, "maxUnavailable"),
    ({"crds": {"install": True}}, "install"),
    ({"uninstall": {"timeoutSeconds": 0}}, "timeoutSeconds"),
    ({"monitoring": {"serviceMonitor": {"interval": "often"}}}, "interval"),
    ({"monitoring": {"enabled": True}}, "enabled"),
    ({"extraObjects": {"kind": "Pod"}}, "extraObjects"),
]


@pytest.mark.parametrize(("values", "name"), REFUSED, ids=lambda given: given if isinstance(given, str) else None)
def test_what_cannot_be_is_refused_by_name(values: dict[str, Any], name: str, each_helm: Helm) -> None:
    with pytest.raises(HelmError) as refused:
        each_helm.template(values)
    said = str(refused.value)
    assert "values don't meet the specifications of the schema" in said
    assert name in said
