"""The operator's command: every setting is an option, wrong ones are told all at once, and a file shows what would be made of it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from tests.docs.pages import DOCS
from tests.operator.operator_rig import arb_market
from tests.operator.venue_rig import scripted
from tests.support.paper import paper_exchange_server

from kabobagool_operator.cli import main
from kabobagool_operator.policy import Policy
from kabobagool_operator.policy_options import FIELDS, SECRET, policy_reference

ROOT = DOCS.parent
PAPER = ["--paper-wallet", "0x" + "9e" * 20, "--paper-wallet-secret", "play"]


def command(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, arguments, env={f"KABOBAGOOL_{name}": value for name, value in environment.items()})


def test_every_setting_is_an_option_with_its_variable_its_default_and_what_it_means() -> None:
    said = " ".join(CliRunner().invoke(main, ["run", "--help"], terminal_width=1000).output.split())
    for name, field in FIELDS.items():
        assert f"--{name.replace('_', '-')}" in said
        assert field.description
        assert " ".join(field.description.split()) in said
        assert f"KABOBAGOOL_{name.upper()}" in said
    assert {"redis_url", "fleet_token"} == SECRET
    assert "KABOBAGOOL_REDIS_URL" not in said


def test_the_page_holds_the_table_of_settings() -> None:
    assert policy_reference() in (DOCS / "operator.md").read_text(), "write it again: policy_options.policy_reference()"


def test_the_definition_that_is_printed_is_the_one_of_the_repository() -> None:
    done = command("crd")
    assert (done.exit_code, done.output) == (0, (ROOT / "crds" / "arbmarkets.kabobagool.io.yaml").read_text())


@pytest.mark.parametrize(
    ("options", "environment", "said"),
    [
        (["--workers", "0"], {}, "KABOBAGOOL_WORKERS=0: Input should be greater than or equal to 1"),
        (["--live-wallet", "me"], {}, "KABOBAGOOL_LIVE_WALLET=me: "),
        (["--discovery-mode", "Live"], {}, "KABOBAGOOL_DISCOVERY_MODE=Live: signs orders with a key, so set"),
        (["--discovery-mode", "Paper"], {}, "KABOBAGOOL_DISCOVERY_MODE=Paper: this operator was installed without a paper exchange"),
        (PAPER, {}, "KABOBAGOOL_CLOB_URL=https://clob.polymarket.com: is the venue's own; with KABOBAGOOL_PAPER_WALLET set, write"),
        (PAPER, {}, "KABOBAGOOL_WS_URL=wss://ws-subscriptions-clob.polymarket.com/ws/market: is the venue's own"),
        (["--bot-environment", "{"], {}, "--bot-environment is no JSON: "),
        ([], {"BOT_TOLERATIONS": "{"}, "lists and maps are written as JSON"),
        (
            ["--bot-environment", '{"BATCH_SIEZ": "7"}'],
            {},
            "KABOBAGOOL_BOT_ENVIRONMENT sets BATCH_SIEZ: it is not a variable of a bot; was",
        ),
        (["--discovery-profile", "nowhere"], {}, "there is no such profile; choose one of"),
        (["--retry-s", "6"], {}, "KABOBAGOOL_LEASE_S=15, RENEW_DEADLINE_S=10, RETRY_S=6: the first must be larger"),
        ([], {"REDIS_URL": "user:s3cret@host"}, "KABOBAGOOL_REDIS_URL=***: "),
        (
            ["--discovery-mode", "Live", "--discovery-credentials-secret", "wallet"],
            {"REDIS_URL": "redis://user:s3cret@host:6379/0"},
            "KABOBAGOOL_LIVE_WALLET is not set: with KABOBAGOOL_DISCOVERY_MODE=Live give the public address that holds the money",
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_fix_before_anything_starts(options: list[str], environment: dict[str, str], said: str) -> None:
    done = command("run", *options, **environment)
    assert done.exit_code == 2
    assert said in done.output
    assert "s3cret" not in done.output


def test_all_that_is_wrong_is_said_at_once() -> None:
    done = command("run", "--workers", "0", "--health-port", "many", "--resync-s", "long")
    assert [line.partition("=")[0] for line in done.output.removeprefix("Error: ").splitlines()] == [
        "KABOBAGOOL_WORKERS",
        "KABOBAGOOL_RESYNC_S",
        "KABOBAGOOL_HEALTH_PORT",
    ]


def test_a_kubeconfig_that_leads_nowhere_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("nonsense: true")
    done = command("run", "--kubeconfig", str(tmp_path / "config"), "--no-discovery")
    assert done.exit_code == 1
    assert f"KUBECONFIG={tmp_path / 'config'}: " in done.output


def rendered(*arguments: str, text: str) -> Result:
    return CliRunner().invoke(main, ["render", "-", *arguments], input=text)


async def test_a_file_shows_what_would_be_made_of_it() -> None:
    async with paper_exchange_server(scripted("rain")) as paper:
        venue = ["--gamma-url", paper.urls["gamma"], "--clob-url", paper.urls["clob"], "--namespace", "trading"]
        body = arb_market("rain", strategy={"maxPairCost": "0.97"})
        done = await asyncio.to_thread(rendered, *venue, text=json.dumps(body))
        unknown = await asyncio.to_thread(rendered, *venue, text=json.dumps(arb_market("snow")))
    assert done.exit_code == 0, done.output
    config_map, deployment = yaml.safe_load_all(done.output)
    assert (config_map["kind"], deployment["kind"]) == ("ConfigMap", "Deployment")
    assert config_map["data"]["MAX_PAIR_COST"] == "0.97"
    assert deployment["metadata"]["namespace"] == "trading"
    assert unknown.exit_code == 1
    assert "check the spelling" in unknown.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "this is no YAML"),
        ("[]", "this is no ArbMarket"),
        (json.dumps(arb_market("rain", mode="Live")), "Live signs orders with a key"),
    ],
)
def test_a_file_that_nothing_can_be_made_of_says_why(text: str, said: str) -> None:
    done = rendered(text=text)
    assert (done.exit_code, said in done.output) == (1, True), done.output


def test_every_setting_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {"BOT_ENVIRONMENT": '{"BATCH_SIZE": "7"}', "BOT_IMAGE_PULL_SECRETS": '["a"]', "DISCOVERY": "false"}
    for name, text in given.items():
        monkeypatch.setenv(f"KABOBAGOOL_{name}", text)
    policy = Policy()
    assert (policy.bot_environment, policy.bot_image_pull_secrets, policy.discovery) == ({"BATCH_SIZE": "7"}, ("a",), False)
