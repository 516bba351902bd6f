"""The order gate's server as the chart configures it, run for real: who may do what there, and what it remembers."""

import base64
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.chart.chart_rig import ROOT, Helm, of_kind
from tests.gate.redis_servers import BINARIES, free_port

PLAY_WALLET = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
PATIENCE_S = 20.0
FLUSHED_S = 3.0
"""It flushes every second, and puts off a write for up to two while a slow disk still flushes."""


class ChartServer:
    """A server with the configuration, users and passwords of one rendering."""

    def __init__(self, folder: Path, kind: str, bodies: list[dict[str, Any]]) -> None:
        self.port = free_port()
        secrets = of_kind(bodies, "Secret")
        self.passwords = {
            name.removeprefix("gate-"): plain(body, "PASSWORD") for name, body in secrets.items() if "PASSWORD" in body["data"]
        }
        self.urls = {name.removeprefix("gate-"): plain(body, "REDIS_URL") for name, body in secrets.items() if "REDIS_URL" in body["data"]}
        (folder / "users.acl").write_text(plain(secrets["redis-users"], "users.acl"))
        text = of_kind(bodies, "ConfigMap")["redis"]["data"]["redis.conf"]
        assert text.startswith("dir /data\nbind * -::*\nport 6379\n")
        rest = text.partition("port 6379\n")[2].replace("/etc/redis", str(folder))
        (folder / "redis.conf").write_text(f"dir {folder}\nbind 127.0.0.1\nport {self.port}\n{rest}")
        self._command = [BINARIES[kind], str(folder / "redis.conf")]
        self._log = folder / "log"
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.02)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def user(self, name: str) -> redis.Redis:
        """As a client with that user's password."""
        options = {"port": self.port, "username": name, "password": self.passwords[name]}
        return redis.Redis(**options, decode_responses=True, retry=Retry(NoBackoff(), 0))

    def nobody(self) -> redis.Redis:
        return redis.Redis(port=self.port, decode_responses=True, retry=Retry(NoBackoff(), 0))

    def probe(self) -> redis.Redis:
        """As the kubelet asks; any password will do."""
        return redis.Redis(port=self.port, username="probe", password="any", decode_responses=True, retry=Retry(NoBackoff(), 0))

    def _answers(self) -> bool:
        try:
            return bool(self.probe().ping())
        except (redis.ConnectionError, redis.BusyLoadingError):
            return False


def plain(body: dict[str, Any], key: str) -> str:
    return base64.b64decode(body["data"][key]).decode()


@pytest.fixture(params=["valkey", "redis"])
def kind(request: pytest.FixtureRequest) -> str:
    if not BINARIES[request.param]:
        pytest.skip("no redis-server on PATH: apt-get install redis-server")
    return str(request.param)


@pytest.fixture
def server(kind: str, helm: Helm, tmp_path: Path) -> Iterator[ChartServer]:
    running = ChartServer(tmp_path, kind, helm.template())
    yield running
    running.kill()


def key(wallet: str) -> str:
    return f"kabobagool:{{{wallet}}}:halts"


def test_every_bot_reaches_the_keys_of_its_wallet_and_no_others(server: ChartServer) -> None:
    for name, own, other in (("dry-run", "dry-run", PLAY_WALLET), ("paper", PLAY_WALLET, "dry-run")):
        client = server.user(name)
        client.hset(key(own), "wallet", "x")
        assert client.hgetall(key(own)) == {"wallet": "x"}
        for forbidden in (key(other), key("0x" + "1" * 40), "anything"):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.hgetall(forbidden)
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.hset(forbidden, "wallet", "x")


def test_a_script_of_a_bot_reaches_no_further_than_the_bot(server: ChartServer) -> None:
    digest = server.user("paper").script_load("return redis.call('HGETALL', 'kabobagool:{dry-run}:halts')")
    with pytest.raises(redis.exceptions.ResponseError, match=r"(?i)no permission|can't access|can't run"):
        server.user("paper").evalsha(digest, 0)


def test_the_operator_reaches_every_wallet_and_nothing_else(server: ChartServer) -> None:
    client = server.user("operator")
    for wallet in ("dry-run", PLAY_WALLET):
        client.hset(key(wallet), "wallet", "x")
    with pytest.raises(redis.exceptions.NoPermissionError):
        client.get("anything")


@pytest.mark.parametrize("command", ["FLUSHALL", "CONFIG GET *", "KEYS *", "ACL LIST", "SHUTDOWN", "EVAL x 0", "MONITOR", "DEBUG SLEEP 0"])
def test_nobody_may_rule_the_server(server: ChartServer, command: str) -> None:
    for client in (server.user("operator"), server.user("paper"), server.probe(), server.nobody()):
        with pytest.raises((redis.exceptions.ResponseError, redis.exceptions.AuthenticationError)):
            client.execute_command(*command.split())


def test_who_knows_no_password_may_only_ask_whether_it_lives(server: ChartServer) -> None:
    assert server.probe().ping()
    for command in ("GET x", "INFO", "HGETALL x", "SUBSCRIBE x", "PUBLISH x y"):
        with pytest.raises(redis.exceptions.ResponseError):
            server.probe().execute_command(*command.split())
    for client in (server.nobody(), redis.Redis(port=server.port, username="default", password="", retry=Retry(NoBackoff(), 0))):
        with pytest.raises(redis.exceptions.AuthenticationError):
            client.ping()
    stranger = redis.Redis(port=server.port, username="operator", password="guessed", retry=Retry(NoBackoff(), 0))
    with pytest.raises(redis.exceptions.AuthenticationError):
        stranger.ping()


OWN = {"redis": {"auth": {"existingSecret": "u", "secrets": {"operator": "a", "dryRun": "b", "paper": "c"}}}}


@pytest.mark.parametrize("values", [{}, OWN], ids=["users of the chart", "users of somebody's own"])
def test_the_probe_is_answered_by_a_server_that_lives_and_by_no_other(server: ChartServer, helm: Helm, values: dict[str, Any]) -> None:
    if not shutil.which("redis-cli"):
        pytest.skip("no redis-cli on PATH: apt-get install redis-tools")
    (container,) = of_kind(helm.template(values), "StatefulSet")["redis"]["spec"]["template"]["spec"]["containers"]
    probe = [word.replace('redis-cli)"', f'redis-cli)" -p {server.port}') for word in container["readinessProbe"]["exec"]["command"]]
    assert subprocess.run(probe, check=False).returncode == 0
    server.kill()
    assert subprocess.run(probe, check=False).returncode != 0


def test_what_was_halted_stays_halted_when_the_server_is_killed(server: ChartServer) -> None:
    server.user("paper").hset(key(PLAY_WALLET), "wallet", "stop")
    time.sleep(FLUSHED_S)
    server.kill()
    server.start()
    assert server.user("paper").hget(key(PLAY_WALLET), "wallet") == "stop"


def test_all_that_a_script_wrote_is_there_when_the_server_was_killed(server: ChartServer) -> None:
    """Redis 7 reads what a script wrote as a transaction, and with the rights of the user `default`."""
    client = server.user("paper")
    digest = client.script_load("redis.call('SET', KEYS[1], 'total') redis.call('HSET', KEYS[2], 'market', 'its part')")
    client.evalsha(digest, 2, f"kabobagool:{{{PLAY_WALLET}}}:gate", f"kabobagool:{{{PLAY_WALLET}}}:stakes")
    time.sleep(FLUSHED_S)
    server.kill()
    server.start()
    found = server.user("paper")
    assert found.get(f"kabobagool:{{{PLAY_WALLET}}}:gate") == "total"
    assert found.hgetall(f"kabobagool:{{{PLAY_WALLET}}}:stakes") == {"market": "its part"}


def test_the_address_of_every_user_leads_there_with_its_password(server: ChartServer) -> None:
    assert set(server.urls) == {"operator", "dry-run", "paper"}
    for name, url in server.urls.items():
        there = url.replace("kabobagool-redis:6379", f"127.0.0.1:{server.port}")
        assert url.endswith("@kabobagool-redis:6379/0")
        assert redis.Redis.from_url(there).ping(), name


def test_the_rights_are_those_of_the_manual() -> None:
    manual = (ROOT / "docs" / "order-gate.md").read_text().partition("user bot on")[2].partition("```")[0]
    template = (ROOT / "charts" / "kabobagool" / "templates" / "_gate.tpl").read_text()
    rights = template.partition('define "kabobagool.botRights" -}}')[2].partition("{{-")[0]
    assert [word for word in rights.split() if word.startswith("+")] == [word for word in manual.split() if word.startswith("+")]
