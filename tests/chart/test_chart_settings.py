"""What the chart tells the operator is what the operator understands, and means what the values say."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.chart.chart_rig import CI, LIVE, VALUES, Helm, of_kind

from kabobagool_operator.arbmarket_spec import Mode
from kabobagool_operator.bot_profiles import Profiles
from kabobagool_operator.policy import Policy
from kabobagool_operator.start_checks import start_problems

OF_THE_POD = {"KABOBAGOOL_IDENTITY": "pod-1", "KABOBAGOOL_NAMESPACE": "trading", "KABOBAGOOL_POD_IP": "10.0.0.1"}
SECRETS = {"KABOBAGOOL_REDIS_URL": "redis://operator:x@kabobagool-redis:6379/0", "KABOBAGOOL_FLEET_TOKEN": "a-token-long-enough"}
ONLY_BY_EXTRA_ENV = {"watch_s", "stuck_s", "venue_recheck_s", "lease_s", "renew_deadline_s", "retry_s"}
"""Settings for tests and for odd clusters; each of them is one line in operator.extraEnv."""
EVERY = ["default", *CI]


def variables(bodies: list[dict[str, Any]]) -> dict[str, Any]:
    spec = of_kind(bodies, "Deployment")["operator"]["spec"]["template"]["spec"]
    return {variable["name"]: variable for variable in spec["containers"][0]["env"]}


def policy_of(bodies: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, folder: Path) -> Policy:
    """The operator's settings as it would read them in the Pod."""
    for name, variable in variables(bodies).items():
        monkeypatch.setenv(name, variable.get("value") or OF_THE_POD.get(name) or SECRETS[name])
    profiles = of_kind(bodies, "ConfigMap").get("profiles", {}).get("data", {})
    for name, text in profiles.items():
        (folder / name).write_text(text)
    if profiles:
        monkeypatch.setenv("KABOBAGOOL_PROFILES_DIR", str(folder))
    return Policy()


@pytest.mark.parametrize("name", EVERY)
def test_the_operator_would_start_with_it(name: str, helm: Helm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    policy = policy_of(helm.template(CI.get(name)), monkeypatch, tmp_path)
    assert start_problems(policy) == []
    assert policy.namespace == "trading"
    assert policy.identity == "pod-1"


@pytest.mark.parametrize("name", EVERY)
def test_every_variable_is_a_setting(name: str, helm: Helm) -> None:
    given = {variable.removeprefix("KABOBAGOOL_").lower() for variable in variables(helm.template(CI.get(name)))}
    assert given - set(Policy.model_fields) == set()


def test_every_setting_has_a_value_or_is_named_as_one_that_has_none(helm: Helm) -> None:
    given = {variable for name in EVERY for variable in variables(helm.template(CI.get(name)))}
    without = {field for field in Policy.model_fields if f"KABOBAGOOL_{field.upper()}" not in given}
    assert without == ONLY_BY_EXTRA_ENV - {"watch_s"}, "ci/full-values.yaml sets one of them in operator.extraEnv"


def test_what_is_not_said_is_as_the_operator_has_it_by_itself(helm: Helm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = policy_of(helm.template({"mode": "dry-run", "profiles": {"paper": None}}), monkeypatch, tmp_path)
    for name in variables(helm.template()):
        monkeypatch.delenv(name, raising=False)
    usual = Policy()
    decided = {"namespace", "identity", "pod_ip", "redis_url", "bot_redis_secret", "bot_image", "profiles_dir"}
    different = {field for field in Policy.model_fields if getattr(given, field) != getattr(usual, field)}
    assert different - decided == set()


def test_on_paper_the_venue_is_the_paper_exchange_and_found_markets_trade_there(
    helm: Helm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bodies = helm.template()
    policy = policy_of(bodies, monkeypatch, tmp_path)
    assert of_kind(bodies, "Service")["paper"]["spec"]["ports"][0]["port"] == 8899
    assert (policy.gamma_url, policy.clob_url) == ("http://kabobagool-paper:8899/gamma", "http://kabobagool-paper:8899")
    assert policy.ws_url == "ws://kabobagool-paper:8899/ws/market"
    assert policy.discovery_mode is Mode.PAPER
    assert policy.objection(Mode.LIVE) is not None
    assert (policy.paper_wallet_secret, policy.paper_redis_secret) == ("kabobagool-play-wallet", "kabobagool-gate-paper")
    assert policy.discovery_profile == "paper"


def test_in_a_dry_run_nothing_is_known_of_any_wallet(helm: Helm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    policy = policy_of(helm.template({"mode": "dry-run"}), monkeypatch, tmp_path)
    assert policy.discovery_mode is Mode.DRY_RUN
    assert (policy.live_wallet, policy.paper_wallet, policy.discovery_credentials_secret) == (None, None, None)
    assert (policy.live_redis_secret, policy.paper_redis_secret) == (None, None)
    assert policy.clob_url == "https://clob.polymarket.com"


def test_live_found_markets_trade_with_the_wallet_only_when_that_is_said(
    helm: Helm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    careful = policy_of(helm.template({**LIVE, "discovery": {"mode": ""}}), monkeypatch, tmp_path)
    assert careful.discovery_mode is Mode.DRY_RUN
    assert careful.live_wallet == "0x" + "1" * 40
    assert (careful.live_redis_secret, careful.bot_redis_secret) == ("gate-live", "gate-dry-run")
    bold = policy_of(helm.template({**LIVE, "discovery": {"mode": "Live"}}), monkeypatch, tmp_path)
    assert bold.discovery_mode is Mode.LIVE
    assert bold.discovery_credentials_secret == "polymarket-wallet"


def test_the_values_of_bots_reach_them(helm: Helm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    policy = policy_of(helm.template(CI["full"]), monkeypatch, tmp_path)
    assert policy.bot_image == "registry.example.com/mirror/kabobagool-bot:0.1.0-rc.1"
    assert policy.bot_image_pull_policy == "Always"
    assert policy.bot_image_pull_secrets == ("registry",)
    assert policy.bot_resources == VALUES["bot"]["resources"]
    assert policy.bot_node_selector == {"pool": "bots"}
    assert policy.bot_tolerations == ({"key": "bots", "operator": "Exists"},)
    assert policy.bot_priority_class == "trading-low"
    assert policy.bot_environment == {"LOG_LEVEL": "DEBUG"}
    assert policy.watch_s == 45


def test_a_profile_of_ones_own_is_one_that_markets_may_name(helm: Helm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    policy = policy_of(helm.template(CI["full"]), monkeypatch, tmp_path)
    assert Profiles(policy.profiles_dir).profile("mine").variables["MIN_VOLUME"] == "1000"
    assert {"mine", "paper", "conservative"} <= set(Profiles(policy.profiles_dir).names())


def test_the_job_before_an_uninstall_is_an_operator_with_the_same_settings(helm: Helm) -> None:
    bodies = helm.template(CI["full"])
    job = of_kind(bodies, "Job")["uninstall"]["spec"]["template"]["spec"]["containers"][0]
    operator = of_kind(bodies, "Deployment")["operator"]["spec"]["template"]["spec"]["containers"][0]
    assert job["env"] == operator["env"]
    assert job["envFrom"] == operator["envFrom"]
    assert job["image"] == operator["image"]
    assert json.dumps(job["args"]) == '["--deployment=kabobagool-operator", "--timeout=240"]'
