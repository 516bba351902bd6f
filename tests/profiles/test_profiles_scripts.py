"""The scripts as a person runs them: in a copy of the checkout, from another directory, against real processes."""

import json
import os
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kabobagool.settings import FIELDS

ROOT = Path(__file__).parents[2]
KEY = "5a" * 32
PROGRAMS = str(Path(sys.executable).parent)
PATIENCE_S = 60


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout's scripts and shipped profiles, nothing private, no .venv."""
    copied = tmp_path / "a checkout"
    shutil.copytree(ROOT / "scripts", copied / "scripts")
    shutil.copytree(ROOT / ".env.profiles", copied / ".env.profiles", ignore=shutil.ignore_patterns("base.env", "*.local.env"))
    return copied


def environment(**more: str) -> dict[str, str]:
    ours = {name.upper() for name in FIELDS}
    return (
        {name: value for name, value in os.environ.items() if name.upper() not in ours}
        | {"PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
        | more
    )


def run(copied: Path, script: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [str(copied / "scripts" / script), *arguments]
    return subprocess.run(command, cwd="/", env=environment(**env), capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def test_load_profile_merges_into_the_checkouts_env_from_any_directory(copy: Path) -> None:
    (copy / ".env.profiles" / "base.env").write_text(f"PRIVATE_KEY={KEY}\n")
    (copy / ".env.profiles" / "base.env").chmod(0o600)
    (copy / ".env").write_text("BEFORE=1\n")
    done = run(copy, "load-profile.sh", "crypto")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(".env holds profile crypto (dry run, no real orders); the previous one is .env.bak.")
    written = (copy / ".env").read_text()
    assert f"PRIVATE_KEY={KEY}\n" in written
    assert "MAX_MARKETS=16\n" in written
    assert stat.S_IMODE((copy / ".env").stat().st_mode) == 0o600
    (backup,) = copy.glob(".env.bak.*")
    assert backup.read_text() == "BEFORE=1\n"


def test_load_profile_refuses_a_missing_key_with_the_fix_and_touches_nothing(copy: Path) -> None:
    (copy / ".env.profiles" / "mine.env").write_text("# Mine.\n# requires: PRIVATE_KEY\nMAX_MARKETS=1\n")
    (copy / ".env").write_text("BEFORE=1\n")
    refused = run(copy, "load-profile.sh", "mine")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "PRIVATE_KEY is not set: profile mine requires it; cp .env.profiles/base.env.template .env.profiles/base.env and set it there\n"
    )
    assert (copy / ".env").read_text() == "BEFORE=1\n"
    assert list(copy.glob(".env.*bak*")) == []


def test_the_fix_that_is_named_works_as_written(copy: Path) -> None:
    (copy / ".env.profiles" / "mine.env").write_text("# Mine.\n# requires: CONTROL_TOKEN\nMAX_MARKETS=1\n")
    fix = run(copy, "load-profile.sh", "mine").stderr.split("; ")[1].split(" and set")[0]
    subprocess.run(fix.split(), cwd=copy, check=True)
    base = copy / ".env.profiles" / "base.env"
    base.write_text(base.read_text().replace("CONTROL_TOKEN=\n", "CONTROL_TOKEN=abc\n"))
    base.chmod(0o600)
    assert run(copy, "load-profile.sh", "mine").returncode == 0
    assert "CONTROL_TOKEN=abc\n" in (copy / ".env").read_text()


def test_switch_profile_tells_what_changes(copy: Path) -> None:
    run(copy, "load-profile.sh", "crypto")
    switched = run(copy, "switch-profile.sh", "sports")
    assert switched.returncode == 0
    assert "  KABOBAGOOL_PROFILE: crypto -> sports" in switched.stdout.splitlines()
    assert "  MAX_MARKETS: 16 -> 30" in switched.stdout.splitlines()


@pytest.mark.parametrize("script", ["load-profile.sh", "switch-profile.sh"])
def test_without_a_name_the_profiles_are_listed(script: str, copy: Path) -> None:
    asked = run(copy, script)
    assert (asked.returncode, asked.stdout) == (2, "")
    assert f"usage: scripts/{script} PROFILE" in asked.stderr
    assert "conservative  The careful start" in asked.stderr


@pytest.mark.parametrize("script", ["load-profile.sh", "switch-profile.sh", "run-local.sh"])
def test_without_the_program_the_script_says_how_to_install_it(script: str, copy: Path) -> None:
    told = run(copy, script, "crypto", PATH="/usr/bin:/bin")
    assert (told.returncode, told.stdout) == (1, "")
    assert f"kabobagool is not installed: run 'make install' in {copy}" in told.stderr


def test_run_local_refuses_a_profile_that_is_not_for_the_paper_exchange(copy: Path) -> None:
    refused = run(copy, "run-local.sh", "crypto")
    assert refused.returncode == 2
    assert "use hydra-test or test here, and kabobagool hydra --profile crypto" in refused.stderr


def test_run_local_says_when_the_port_of_the_exchange_is_taken(copy: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = run(copy, "run-local.sh", "hydra-test", PAPER_PORT=str(taken.getsockname()[1]), PAPER_MARKETS="1", PAPER_MINUTES="1")
    assert refused.returncode == 1
    assert "choose another one" in refused.stderr
    assert "the paper exchange ended before it was ready (status 1)" in refused.stderr


@pytest.fixture
def running(copy: Path) -> Iterator[subprocess.Popen[str]]:
    """`scripts/run-local.sh hydra-test` with two markets on free ports."""
    command = [str(copy / "scripts" / "run-local.sh"), "hydra-test", "--health-port-base", "0", "--json"]
    env = environment(PAPER_PORT="0", PAPER_MARKETS="2", PAPER_MINUTES="10", TMPDIR=str(copy))
    # What a shell runs in the background ignores SIGINT, and so do its children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, cwd="/", env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    signal.signal(signal.SIGINT, before)
    yield process
    if process.poll() is None:
        process.terminate()
        process.wait(PATIENCE_S)


def ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout
    readable, _, _ = select.select([process.stdout], [], [], PATIENCE_S)
    assert readable, "the fleet did not announce itself"
    return dict(json.loads(process.stdout.readline()))


def health(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}health", timeout=5) as answer:
        return dict(json.load(answer))


def healthy(url: str) -> dict[str, Any]:
    for _ in range(PATIENCE_S * 2):
        try:
            return health(url)
        except urllib.error.HTTPError:
            select.select([], [], [], 0.5)
    raise AssertionError("the fleet never became healthy")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_local_runs_a_healthy_fleet_and_ends_with_its_status(
    number: signal.Signals, running: subprocess.Popen[str], copy: Path
) -> None:
    told = ready(running)
    assert (told["profile"], told["live"]) == ("hydra-test", False)
    assert healthy(told["url"])["status"] == "ok"
    targets = json.loads((copy / "build" / "hydra-test" / "targets.json").read_text())
    assert targets[0]["targets"] == [f"127.0.0.1:{told['port']}"]
    running.send_signal(number)
    _, err = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 0, err
    assert "Traceback" not in err
    assert list(copy.glob("kabobagool-local.*")) == []
