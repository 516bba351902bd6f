"""`kabobagool doctor` as a user and a script meet it: a process, its lines, its JSON and its exit status."""

import asyncio
import json
import os
import sys
from pathlib import Path

from click.testing import CliRunner
from tests.doctor.doctor_rig import BOOKS, LIVE, environment
from tests.support.paper import TEST_KEY, PaperServer, paper_exchange_server

from kabobagool.cli.doctor import command


async def doctor(paper: PaperServer, folder: Path, *arguments: str, **own: str) -> tuple[int | None, str, str]:
    env = environment(paper, folder, **own) | {"PATH": os.environ["PATH"]}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kabobagool.cli.main", "doctor", *arguments, env=env, stdout=pipe, stderr=pipe
    )
    out, err = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, out.decode(), err.decode()


async def test_a_healthy_configuration_ends_with_status_0_and_a_line_for_each_check(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        code, out, err = await doctor(paper, tmp_path, **LIVE)
    assert (code, err) == (0, "")
    *lines, empty, summary = out.splitlines()
    assert (empty, summary) == ("", "13 ok, 0 warning, 0 failure")
    assert [line.split()[0] for line in lines] == ["ok"] * 13


async def test_a_failure_ends_with_status_1_and_shows_its_fix_below(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        paper.add_fault("geoblocked")
        code, out, _ = await doctor(paper, tmp_path, **LIVE)
    assert code == 1
    lines = out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("failure"))
    assert lines[at].split()[1] == "region"
    assert lines[at + 1].strip().startswith("fix: ")
    assert lines[-1] == "12 ok, 0 warning, 1 failure"


async def test_json_says_the_same_to_machines(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        code, out, _ = await doctor(paper, tmp_path, "--json", MARKET_SLUG="no-such-market")
    report = json.loads(out)
    assert code == 1
    assert report["healthy"] is False
    assert report["counts"] == {"ok": 8, "warning": 0, "failure": 1}
    assert {row["check"]: row["level"] for row in report["findings"]}["market"] == "failure"
    assert all((row["fix"] is None) == (row["level"] == "ok") for row in report["findings"])


async def test_wrong_settings_are_findings_too_and_end_with_status_1(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        code, out, err = await doctor(paper, tmp_path, "--max-pair-cost", "1.2")
    assert code == 1
    assert "MAX_PAIR_COST=1.2" in out
    assert "Traceback" not in err


async def test_live_trading_can_be_examined_without_configuring_it(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        paper.add_fault("geoblocked", count=2)
        dry, shown, _ = await doctor(paper, tmp_path, PRIVATE_KEY=TEST_KEY)
        live, _, _ = await doctor(paper, tmp_path, "--no-dry-run", PRIVATE_KEY=TEST_KEY)
    assert (dry, live) == (0, 1)
    assert "warning  region" in shown


async def test_no_secret_is_printed_whatever_is_wrong(tmp_path: Path) -> None:
    secrets = {
        "PRIVATE_KEY": TEST_KEY,
        "CLOB_API_KEY": "11112222-3333-4444-5555-666677778888",
        "CLOB_API_SECRET": "c2VjcmV0LXNlY3JldC1zZWNyZXQ=",
        "CLOB_API_PASSPHRASE": "open-sesame-open",
    }
    async with paper_exchange_server(BOOKS) as paper:
        refused = await doctor(paper, tmp_path, "--no-dry-run", **secrets)
        malformed = await doctor(paper, tmp_path, **secrets | {"PRIVATE_KEY": TEST_KEY + "zz", "CLOB_API_SECRET": "%%%not-base64%%%"})
        proxied = await doctor(paper, tmp_path, "--json", **secrets, CLOB_PROXY_URL="http://me:hunter2@127.0.0.1:9", LOG_LEVEL="DEBUG")
    assert [refused[0], malformed[0], proxied[0]] == [1, 1, 1]
    for _, out, err in (refused, malformed, proxied):
        said = (out + err).lower()
        for secret in (TEST_KEY[2:], "%%%not-base64%%%", "hunter2", *secrets.values()):
            assert secret.lower() not in said


def test_the_help_says_what_it_does_and_does_not_do() -> None:
    shown = CliRunner().invoke(command, ["--help"])
    assert shown.exit_code == 0
    text = " ".join(shown.output.split())
    assert "Sends no order, prints no secret" in text
    assert "--no-dry-run checks as if live" in text
    assert "--private-key" not in text
