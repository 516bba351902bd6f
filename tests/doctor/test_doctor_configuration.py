"""One wrong variable must hide neither the other ones nor what is wrong with the world."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.doctor.doctor_rig import BOOKS, FAILURE, LIVE, OK, WARNING, environment, examined, findings_of
from tests.support.paper import TEST_KEY, paper_exchange_server

from kabobagool.doctor.configuration import read_configuration
from kabobagool.doctor.finding import Finding, Level
from kabobagool.settings import FIELDS, SECRETS


async def test_all_problems_are_told_and_what_does_not_depend_on_them_is_still_checked(tmp_path: Path) -> None:
    wrong = {"MAX_PAIR_COST": "1.2", "BATCH_SIZE": "many", "PRIVATE_KEY": "0xnothex-and-secret", "SIGNATURE_TYPE": "9"}
    async with paper_exchange_server(BOOKS) as paper:
        findings = await findings_of(environment(paper, tmp_path, **wrong))
    problems = [found.what for found in findings if found.check == "settings"]
    assert {line.split("=")[0] for line in problems} == set(wrong)
    rest = {found.check: found.level for found in findings if found.check != "settings"}
    assert {name for name, level in rest.items() if level is OK} == {
        "catalogue",
        "exchange",
        "clock",
        "region",
        "market",
        "live prices",
        "journal",
    }
    assert {name for name, level in rest.items() if level is WARNING} == {"key", "wallet", "credentials", "balance", "allowance"}
    assert not any("nothex" in found.what + found.fix for found in findings)


async def test_a_place_that_cannot_be_used_is_not_replaced_by_another_one(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        report = await examined(environment(paper, tmp_path, HOST="clob dot example"))
    for name in ("exchange", "clock", "region", "market"):
        assert report[name].level is WARNING
        assert "HOST" in report[name].what
    assert report["catalogue"].level is OK
    assert report["live prices"].level is OK


async def test_a_misspelt_variable_is_a_warning(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        findings = await findings_of(environment(paper, tmp_path, MAX_PAIR_COSTS="0.9"))
    warned = [found for found in findings if found.level is WARNING]
    assert [found.check for found in warned] == ["settings"]
    assert "MAX_PAIR_COSTS" in warned[0].what


def test_live_and_dry_are_told_apart_in_the_first_line() -> None:
    assert "dry run" in read_configuration({}).findings[0].what
    assert "LIVE" in read_configuration(LIVE).findings[0].what


@pytest.mark.parametrize(
    ("given", "still", "aside"),
    [
        ({"DRY_RUN": "false"}, {}, {"dry_run"}),
        ({"TOKEN_YES": "5"}, {}, {"token_yes"}),
        ({"MARKET_SLUG": "a", "CONDITION_ID": "0x" + "1" * 64}, {}, {"market_slug", "condition_id"}),
        ({"EDGE_BUFFER": "0.9", "MAX_PAIR_COST": "0.5", "BATCH_SIZE": "7"}, {"batch_size": 7}, {"edge_buffer", "max_pair_cost"}),
        ({"BATCH_SIZE": "1", "batch_size": "6"}, {"batch_size": 50}, {"batch_size"}),
        ({**LIVE, "PROXY_ADDRESS": "0x" + "1" * 40, "CHAIN_ID": "5"}, {"chain_id": 5}, {"proxy_address"}),
        ({"CLOB_API_KEY": "abcd", "REQUEST_TIMEOUT_S": "3"}, {"request_timeout_s": 3}, {"clob_api_key"}),
        ({"HOST": "http://clob.polymarket.com", "DRY_RUN": "0", "PRIVATE_KEY": TEST_KEY}, {"dry_run": False}, {"host"}),
    ],
)
def test_what_contradicts_is_set_aside_and_the_rest_is_kept(given: dict[str, str], still: dict[str, object], aside: set[str]) -> None:
    found = read_configuration(given)
    assert aside <= found.set_aside
    assert all(getattr(found.settings, name) == value for name, value in still.items())
    assert {finding.level for finding in found.findings} == {FAILURE}


TEXTS = st.sampled_from(["", " ", "true", "false", "0", "1", "2", "-1", "1e9", "nan", "http://x", "0x" + "12" * 20, TEST_KEY, "π", "a b"])
ENVIRONMENTS = st.dictionaries(st.sampled_from(sorted(FIELDS)).map(str.upper), TEXTS | st.text(max_size=8), max_size=8)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(env=ENVIRONMENTS)
def test_any_environment_gives_usable_settings_and_findings_that_can_be_acted_on(env: dict[str, str]) -> None:
    found = read_configuration(env)
    assert found.findings
    assert all(finding.fix for finding in found.findings if finding.level is not OK)
    assert bool(found.set_aside) <= any(finding.level is FAILURE for finding in found.findings)
    kept = {name for name, value in env.items() if value.strip()} - {name.upper() for name in found.set_aside}
    assert not read_configuration({name: env[name] for name in kept}).set_aside
    shown = " ".join(finding.what + finding.fix for finding in found.findings)
    assert not any(len(value.strip()) > 20 and value in shown for name, value in env.items() if name.lower() in SECRETS)


@pytest.mark.parametrize(("level", "fix"), [(Level.OK, "do this"), (Level.WARNING, ""), (Level.FAILURE, "")])
def test_a_finding_without_a_fix_or_a_fix_without_a_problem_cannot_be_made(level: Level, fix: str) -> None:
    with pytest.raises(ValueError, match="exactly when it is not fine"):
        Finding(level, "clock", "what", fix)
