"""What the doctor says about REDIS_URL: a real Valkey server that is fine, locked, a replica, late, forgetful, behind TLS or gone."""

import asyncio
import contextlib
import json
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner
from tests.doctor.doctor_rig import BOOKS, FAILURE, LIVE, OK, WARNING, environment, examined, levels
from tests.gate.redis_servers import Server, every_server, free_port
from tests.support.paper import PaperServer, paper_exchange_server

from kabobagool.cli.doctor import command
from kabobagool.doctor.finding import Finding
from kabobagool.doctor.redis_check import KEPT_MS, QUESTIONS, server_name, too_old

PASSWORD = "pa55-word-7f3"
Admin = redis.Redis


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Starts servers that go with the test."""
    started: list[Server] = []

    def start(*options: str, kind: str = "valkey", **more: Any) -> Server:
        started.append(Server(kind, *options, **more))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def server(start: Callable[..., Server]) -> Server:
    """One that forgets nothing."""
    return start("--appendonly", "yes")


@pytest.fixture
def admin(server: Server) -> Iterator[Admin]:
    """A connection that was there before any password."""
    with redis.Redis(port=server.port, single_connection_client=True, decode_responses=True) as client:
        client.ping()
        yield client


@pytest.fixture
async def paper() -> AsyncIterator[PaperServer]:
    async with paper_exchange_server(BOOKS) as running:
        yield running


async def said_of(url: str, paper: PaperServer, folder: Path, **own: str) -> Finding:
    report = await examined(environment(paper, folder, REDIS_URL=url, **own))
    assert PASSWORD not in str(report)
    return report["redis"]


async def test_without_a_redis_there_is_no_line_about_one(paper: PaperServer, tmp_path: Path) -> None:
    assert "redis" not in await examined(environment(paper, tmp_path))


async def test_a_server_that_answers_and_takes_writes_is_fine_and_keeps_no_trace(
    server: Server, admin: Admin, paper: PaperServer, tmp_path: Path
) -> None:
    found = await said_of(f"redis://127.0.0.1:{server.port}/0", paper, tmp_path)
    assert found.level is OK
    assert f"127.0.0.1:{server.port} is Valkey" in found.what
    assert "does all that the gate asks of it" in found.what
    for key in admin.keys("*"):
        assert key.startswith("kabobagool:{dry-run}:doctor")
        assert admin.pttl(key) <= KEPT_MS


async def test_a_password_opens_the_server_and_is_shown_nowhere(server: Server, admin: Admin, paper: PaperServer, tmp_path: Path) -> None:
    admin.config_set("requirepass", PASSWORD)
    found = await said_of(f"redis://:{PASSWORD}@127.0.0.1:{server.port}/0", paper, tmp_path)
    assert found.level is OK


@pytest.mark.parametrize(
    ("credentials", "what", "fix"),
    [("", "asks for a password", "redis://:PASSWORD@"), (f":{PASSWORD}x@", "refuses the user or password", "correct user and password")],
)
async def test_a_missing_password_and_a_wrong_one_are_told_apart(
    credentials: str, what: str, fix: str, server: Server, admin: Admin, paper: PaperServer, tmp_path: Path
) -> None:
    admin.config_set("requirepass", PASSWORD)
    found = await said_of(f"redis://{credentials}127.0.0.1:{server.port}", paper, tmp_path)
    assert found.level is FAILURE
    assert what in found.what
    assert fix in found.fix


async def test_a_password_for_a_server_that_has_none_is_named(server: Server, paper: PaperServer, tmp_path: Path) -> None:
    found = await said_of(f"redis://:{PASSWORD}@127.0.0.1:{server.port}", paper, tmp_path)
    assert found.level is FAILURE
    assert "take them out if the server has none" in found.fix


@pytest.mark.parametrize(("commands", "keys"), [(["+ping"], "*"), (["+ping", "+info"], "*"), (["+ping", "+info", "+set"], "other:*")])
async def test_a_user_who_may_not_even_begin_is_told_what_it_needs(
    commands: list[str], keys: str, server: Server, admin: Admin, paper: PaperServer, tmp_path: Path
) -> None:
    admin.acl_setuser("trader", enabled=True, passwords=f"+{PASSWORD}", keys=[keys], commands=commands)
    found = await said_of(f"redis://trader:{PASSWORD}@127.0.0.1:{server.port}", paper, tmp_path)
    assert found.level is FAILURE
    assert "forbids this user" in found.what
    assert "kabobagool:{dry-run}:*" in found.fix


@every_server
async def test_every_right_that_is_missing_is_named_at_once(
    start: Callable[..., Server], kind: str, paper: PaperServer, tmp_path: Path
) -> None:
    server = start("--appendonly", "yes", kind=kind)
    server.admin.acl_setuser("trader", enabled=True, passwords=f"+{PASSWORD}", keys=["*"], commands=["+@all", "-hset", "-zadd", "-time"])
    found = await said_of(f"redis://trader:{PASSWORD}@127.0.0.1:{server.port}", paper, tmp_path)
    assert found.level is FAILURE
    assert "TIME, HSET, ZADD" in found.what
    assert "+time +hset +zadd" in found.fix


async def test_a_user_who_may_not_ask_scripts_fails(server: Server, admin: Admin, paper: PaperServer, tmp_path: Path) -> None:
    admin.acl_setuser("trader", enabled=True, passwords=f"+{PASSWORD}", keys=["*"], commands=["+@all", "-evalsha"])
    found = await said_of(f"redis://trader:{PASSWORD}@127.0.0.1:{server.port}", paper, tmp_path)
    assert found.level is FAILURE
    assert "evalsha" in found.what


@every_server
async def test_the_rights_of_the_manual_on_the_keys_of_the_wallet_are_enough_and_each_of_them_is_tried(
    start: Callable[..., Server], kind: str, paper: PaperServer, tmp_path: Path
) -> None:
    server, rights = start("--appendonly", "yes", kind=kind), rights_in_the_manual()
    server.admin.execute_command("ACL", "SETUSER", "trader", "on", f">{PASSWORD}", "~kabobagool:{dry-run}:*", "-@all", *rights)
    found = await said_of(f"redis://trader:{PASSWORD}@127.0.0.1:{server.port}", paper, tmp_path)
    assert found.level is OK, found
    tried = {f"+{command.lower()}" for command, *_ in QUESTIONS}
    assert set(rights) - tried == {"+ping", "+evalsha", "+script|load"}
    assert tried <= set(rights)


async def test_what_is_tried_are_keys_of_the_wallet_that_would_trade(
    server: Server, admin: Admin, paper: PaperServer, tmp_path: Path
) -> None:
    wallet = "0x" + "Ab" * 20
    confined = [f"kabobagool:{{{wallet.lower()}}}:*"]
    admin.acl_setuser("trader", enabled=True, passwords=f"+{PASSWORD}", keys=confined, commands=["+@all"])
    url, live = f"redis://trader:{PASSWORD}@127.0.0.1:{server.port}", {**LIVE, "PROXY_ADDRESS": wallet, "SIGNATURE_TYPE": "2"}
    assert (await said_of(url, paper, tmp_path, **live)).level is OK
    assert (await said_of(url, paper, tmp_path)).level is FAILURE, "a dry run has keys of its own"


def rights_in_the_manual() -> list[str]:
    """The commands that docs/order-gate.md allows a bot's user."""
    manual = (Path(__file__).parents[2] / "docs" / "order-gate.md").read_text(encoding="utf-8")
    line = manual.partition("user bot on")[2].partition("```")[0]
    return [word for word in line.split() if word.startswith("+")]


async def test_a_server_that_forgets_or_throws_keys_away_is_a_warning_with_the_settings_to_change(
    start: Callable[..., Server], paper: PaperServer, tmp_path: Path
) -> None:
    server = start("--maxmemory-policy", "allkeys-lru")
    found = await said_of(server.url, paper, tmp_path)
    assert found.level is WARNING
    assert "maxmemory-policy allkeys-lru" in found.what
    assert "appendonly no" in found.what
    assert "set maxmemory-policy noeviction; set appendonly yes" in found.fix


@every_server
async def test_sentinel_leads_to_the_primary_and_a_service_it_does_not_know_is_named(
    start: Callable[..., Server], kind: str, paper: PaperServer, tmp_path: Path
) -> None:
    master = start("--appendonly", "yes", "--requirepass", PASSWORD, kind=kind)
    watched = tmp_path / "sentinel.conf"
    watched.write_text(f'sentinel monitor gate 127.0.0.1 {master.port} 1\nsentinel auth-pass gate "{PASSWORD}"\n')
    sentinel = start(kind=kind, sentinel_conf=watched)
    hosts = f"127.0.0.1:{sentinel.port}"
    async with asyncio.timeout(30):
        while (found := await said_of(f"redis+sentinel://:{PASSWORD}@{hosts}/gate/0", paper, tmp_path)).level is not OK:
            assert "no primary" in found.what, "it has yet to look at the server"
            await asyncio.sleep(0.2)
    assert found.what.startswith(f"gate of Sentinel {hosts} is ")
    unknown = await said_of(f"redis+sentinel://:{PASSWORD}@{hosts}/other?sentinel_password={PASSWORD}", paper, tmp_path)
    assert unknown.level is FAILURE
    assert "Sentinel watches other" in unknown.fix
    direct = await said_of(f"redis://{hosts}", paper, tmp_path)
    assert direct.level is FAILURE
    assert "redis+sentinel://" in direct.fix


async def test_a_unix_socket_is_reached_and_one_that_is_not_there_is_named(
    start: Callable[..., Server], paper: PaperServer, tmp_path: Path
) -> None:
    path = tmp_path / "gate.sock"
    start("--appendonly", "yes", "--unixsocket", str(path), "--requirepass", PASSWORD)
    found = await said_of(f"unix://:{PASSWORD}@{path}?db=0", paper, tmp_path)
    assert found.level is OK
    assert found.what.startswith(f"{path} is Valkey")
    gone = await said_of(f"unix://:{PASSWORD}@{tmp_path}/other.sock", paper, tmp_path)
    assert gone.level is FAILURE
    assert "server runs" in gone.fix
    assert "rediss" not in gone.fix


@pytest.mark.parametrize("rest", ["host:port/gate", "host/gate/x", "host", "x/host/gate"])
async def test_a_sentinel_address_that_leads_nowhere_is_refused_without_repeating_it(rest: str, paper: PaperServer, tmp_path: Path) -> None:
    password = PASSWORD if "x/" not in rest else f"{PASSWORD}/"
    found = await said_of(f"redis+sentinel://:{password}@{rest}", paper, tmp_path)
    assert found.level is FAILURE
    assert "Sentinel" in found.what
    assert "host:port" not in found.what


async def test_a_replica_fails_because_nothing_can_be_written_there(
    server: Server, admin: Admin, paper: PaperServer, tmp_path: Path
) -> None:
    admin.replicaof("127.0.0.1", free_port())
    found = await said_of(f"redis://127.0.0.1:{server.port}", paper, tmp_path)
    assert found.level is FAILURE
    assert "a replica" in found.what
    assert "primary" in found.fix


async def test_a_server_that_refuses_writes_fails(server: Server, admin: Admin, paper: PaperServer, tmp_path: Path) -> None:
    admin.config_set("maxmemory-policy", "noeviction")
    admin.config_set("maxmemory", "1")
    found = await said_of(f"redis://127.0.0.1:{server.port}", paper, tmp_path)
    assert found.level is FAILURE
    assert "refuses" in found.what
    assert "full memory" in found.fix


async def test_a_server_in_cluster_mode_fails(start: Callable[..., Server], paper: PaperServer, tmp_path: Path) -> None:
    server = start("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    found = await said_of(f"redis://127.0.0.1:{server.port}", paper, tmp_path)
    assert found.level is FAILURE
    assert "in cluster mode" in found.what


async def test_a_server_that_is_gone_fails_and_the_other_lines_are_still_there(paper: PaperServer, tmp_path: Path) -> None:
    report = await examined(environment(paper, tmp_path, REDIS_URL=f"redis://:{PASSWORD}@127.0.0.1:{free_port()}"))
    assert levels(report, FAILURE) == {"redis"}
    assert "cannot be reached" in report["redis"].what
    assert "server runs" in report["redis"].fix
    assert PASSWORD not in str(report)


Pipe = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def as_it_is(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)


async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        await asyncio.sleep(0.15)
        writer.write(data)


async def older(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data.replace(b"redis_version:7.2.4", b"redis_version:6.0.9").replace(b"valkey_version:", b"other_version_:"))


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65_536):
        pass


@contextlib.asynccontextmanager
async def fronted(server: Server, answers: Pipe, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a front before the server that passes questions on as they are and answers in its own way."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, ahead = await asyncio.open_connection("127.0.0.1", server.port)
        pipes = [asyncio.ensure_future(as_it_is(reader, ahead)), asyncio.ensure_future(answers(behind, writer))]
        try:
            await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pipe in pipes:
                pipe.cancel()
            ahead.close()
            writer.close()

    front = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    try:
        yield front.sockets[0].getsockname()[1]
    finally:
        front.close()


async def test_a_server_that_is_far_away_is_a_warning(server: Server, paper: PaperServer, tmp_path: Path) -> None:
    async with fronted(server, late) as port:
        found = await said_of(f"redis://127.0.0.1:{port}", paper, tmp_path)
    assert found.level is WARNING
    assert "ms to answer" in found.what
    assert "closer" in found.fix


async def test_a_server_that_takes_the_connection_and_never_answers_is_too_slow(server: Server, paper: PaperServer, tmp_path: Path) -> None:
    async with fronted(server, silent) as port:
        found = await said_of(f"redis://127.0.0.1:{port}", paper, tmp_path, REQUEST_TIMEOUT_S="0.3")
    assert found.level is FAILURE
    assert "too slow" in found.what
    assert "REQUEST_TIMEOUT_S" in found.fix


async def test_a_server_that_is_too_old_fails_with_its_version(server: Server, paper: PaperServer, tmp_path: Path) -> None:
    async with fronted(server, older) as port:
        found = await said_of(f"redis://127.0.0.1:{port}", paper, tmp_path)
    assert found.level is FAILURE
    assert "Redis 6.0.9: the gate needs 6.2 or later" in found.what


@pytest.mark.parametrize(
    ("version", "old"), [("6.0.16", True), ("6.1.9", True), ("6.2.0", False), ("7.2.4", False), ("10.0", False), ("", True), ("new", True)]
)
def test_versions_are_compared_as_numbers(version: str, old: bool) -> None:
    assert too_old({"redis_version": version}) is old
    assert version in server_name({"redis_version": version})


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate for this address that nobody knows, and a server's TLS with it."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, and nothing else here makes certificates")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", *names]
    subprocess.run([*new, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


async def test_tls_is_used_and_its_certificate_is_checked(
    server: Server, certificate: tuple[Path, ssl.SSLContext], paper: PaperServer, tmp_path: Path
) -> None:
    path, context = certificate
    async with fronted(server, as_it_is, tls=context) as port:
        known = await said_of(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={path}", paper, tmp_path)
        unknown = await said_of(f"rediss://127.0.0.1:{port}/0", paper, tmp_path)
        without = await said_of(f"redis://127.0.0.1:{port}/0", paper, tmp_path, REQUEST_TIMEOUT_S="1")
    assert known.level is OK
    assert unknown.level is without.level is FAILURE
    assert "does not agree on TLS" in unknown.what
    assert "ssl_ca_certs" in unknown.fix
    assert "rediss://" in without.fix


async def test_tls_to_a_server_without_it_is_named(server: Server, paper: PaperServer, tmp_path: Path) -> None:
    found = await said_of(f"rediss://127.0.0.1:{server.port}", paper, tmp_path, REQUEST_TIMEOUT_S="1")
    assert found.level is FAILURE
    assert "write redis://" in found.fix


@pytest.mark.parametrize("url", [f"http://:{PASSWORD}@cache.example", f"redis://:{PASSWORD}@", f"redis://:{PASSWORD}@host:port"])
async def test_what_is_no_address_of_a_redis_is_refused_without_repeating_it(url: str, paper: PaperServer, tmp_path: Path) -> None:
    report = await examined(environment(paper, tmp_path, REDIS_URL=url))
    assert "REDIS_URL" in report["settings"].what
    assert "redis://host.example" in report["settings"].what
    assert report["redis"].level is WARNING
    assert PASSWORD not in str(report)


def test_options_in_the_address_that_make_no_sense_are_told(server: Server) -> None:
    result = doctor(REDIS_URL=f"redis://:{PASSWORD}@127.0.0.1:{server.port}/0?socket_timeout=soon")
    line = next(finding for finding in result if finding["check"] == "redis")
    assert line["level"] == "failure"
    assert "REDIS_URL" in line["fix"]


def doctor(**own: str) -> list[dict[str, Any]]:
    """The command's answer for people's scripts, in a world without a venue."""
    nowhere = {"HOST": "http://127.0.0.1:1", "GAMMA_HOST": "http://127.0.0.1:1", "MARKET_SOCKET_URL": "ws://127.0.0.1:1"}
    answer = CliRunner().invoke(command, ["--json"], env={**nowhere, "MARKET_SLUG": "rain", "REQUEST_TIMEOUT_S": "0.3", **own})
    assert PASSWORD not in answer.output
    report = json.loads(answer.stdout)
    findings: list[dict[str, Any]] = report if isinstance(report, list) else report["findings"]
    return findings
