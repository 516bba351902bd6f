"""The URL decides how the server is reached: with a password, as a user of few rights, over TLS, or through Sentinel; no secret shows."""

import asyncio
import random
import subprocess
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from tests.gate.gate_rig import ask
from tests.gate.redis_rig import PATIENT_S, close_links, earnest_gate, new_wallet
from tests.gate.redis_servers import Server, every_server, free_port, shared_server

from kabobagool.clock import SystemClock
from kabobagool.gate.interface import Answer, Exposure, Granted, IntentNote, Priority, Refusal, Refused
from kabobagool.gate.limits import Limits
from kabobagool.gate.redis_gate import RedisGate
from kabobagool.gate.redis_link import Keys, RedisLink
from kabobagool.gate.redis_url import CONNECTIONS, connect

SECRET = "a-p%40ss"  # percent-encoded, as a URL holds it
SPOKEN = "a-p@ss"
MANUAL = Path(__file__).parents[2] / "docs" / "order-gate.md"


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Starts servers that go with the test."""
    started: list[Server] = []

    def start(kind: str, *options: str, **more: Any) -> Server:
        started.append(Server(kind, *options, **more))
        return started[-1]

    yield start
    for server in started:
        server.close()


def rights_in_the_manual() -> list[str]:
    """The user that docs/order-gate.md describes, for one wallet."""
    rights = MANUAL.read_text(encoding="utf-8").partition("user bot on")[2].partition("```")[0]
    return ["bot", "on", *rights.replace(">PASSWORD", f">{SPOKEN}").replace("{WALLET}", "{0xabc}").split()]


def certify(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate of localhost that nobody signed but itself."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(key), "-out", str(certificate))
    subprocess.run([*made, *subject], check=True, capture_output=True)
    return key, certificate


async def answer_over(url: str, wallet: str | None = None) -> Answer:
    """What a gate that was opened with this URL says to one order, its intent and a halt."""
    clock = SystemClock()
    link = RedisLink(connect(url, timeout_s=PATIENT_S), wallet=wallet or new_wallet(), clock=clock, rng=random.Random(1))
    gate = RedisGate(link, limits=Limits(interval_us=0), holder="bot", clock=clock, rng=random.Random(1), silence_at_start_s=0.0)
    intent = IntentNote(intent_id="i", created_ms=1, order_hashes=("0xa",), text="")
    answer = await gate.acquire(market="m", cost=1, notional=1, priority=Priority.NEW_PAIR, max_wait_s=0.0, intent=intent)
    if isinstance(answer, Granted):
        gate.set_exposure("m", Exposure(at_stake=5))
        await gate.intents.resolve("0xa", "killed", ended=True)
        await gate.intents.open_intents("m")
        await gate.halt(scope="m", who="me", why="look")
        await gate.resume(scope="m")
        await gate.beat()
    await gate.close()
    return answer


@every_server
async def test_a_user_with_the_rights_of_the_manual_and_keys_of_one_wallet_is_enough(start: Callable[..., Server], kind: str) -> None:
    server = start(kind)
    server.admin.execute_command("ACL", "SETUSER", *rights_in_the_manual())
    url = f"redis://bot:{SECRET}@127.0.0.1:{server.port}/0"
    assert isinstance(await answer_over(url, "0xabc"), Granted)
    refused = await answer_over(url, "0xother")
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.UNAVAILABLE


@every_server
async def test_a_wrong_password_refuses_new_pairs_and_is_said_without_the_password(
    start: Callable[..., Server], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = start(kind, "--requirepass", "right")
    gate = earnest_gate(f"redis://:{SECRET}@127.0.0.1:{server.port}/0", wallet="0xabc", limits=Limits(), processes=1)
    for _ in range(5):
        refused = await ask(gate, priority=Priority.NEW_PAIR)
        assert isinstance(refused, Refused)
        assert refused.reason is Refusal.UNAVAILABLE
    assert "the shared gate cannot be reached" in caplog.text
    for record in caplog.records:
        assert SECRET not in str(record.__dict__)
        assert SPOKEN not in str(record.__dict__)
    await gate.close()


@every_server
async def test_the_server_is_reached_over_tls_and_a_stranger_with_its_address_is_not(
    start: Callable[..., Server], kind: str, tmp_path: Path
) -> None:
    key, certificate, port = *certify(tmp_path), free_port()
    tls = ("--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no")
    try:
        start(kind, *tls)
    except AssertionError as e:
        pytest.skip(f"this {kind} was built without TLS: {e}")
    assert isinstance(await answer_over(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate}"), Granted)
    refused = await answer_over(f"rediss://127.0.0.1:{port}/0")
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.UNAVAILABLE


@every_server
async def test_sentinel_leads_to_the_master(start: Callable[..., Server], kind: str, tmp_path: Path) -> None:
    master = start(kind, "--requirepass", SPOKEN)
    watched = tmp_path / "sentinel.conf"
    watched.write_text(f'sentinel monitor gate 127.0.0.1 {master.port} 1\nsentinel auth-pass gate "{SPOKEN}"\n')
    sentinel = start(kind, sentinel_conf=watched)
    url = f"redis+sentinel://:{SECRET}@127.0.0.1:1,127.0.0.1:{sentinel.port}/gate/0"
    async with asyncio.timeout(30):
        while isinstance(answer := await answer_over(url), Refused):
            assert answer.reason is Refusal.UNAVAILABLE
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("url", ["redis+sentinel://host:1", "redis+sentinel:///gate", "http://user:secret@host/"])
def test_a_url_that_leads_nowhere_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="redis") as caught:
        connect(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("wallet", ["", "{0xabc}", "a b", "a:b"])
def test_a_wallet_that_would_break_out_of_its_keys_is_refused(wallet: str) -> None:
    with pytest.raises(ValueError, match="wallet="):
        Keys(wallet)


@every_server
async def test_any_number_of_questions_at_once_waits_for_a_few_connections(kind: str) -> None:
    clock, server = SystemClock(), shared_server(kind)
    link = RedisLink(connect(server.url, timeout_s=PATIENT_S), wallet=new_wallet(), clock=clock, rng=random.Random(1))
    limits = Limits(interval_us=0, reserve_fraction=Fraction(0))
    gate = RedisGate(link, limits=limits, holder="bot", clock=clock, rng=random.Random(1), silence_at_start_s=0.0)
    before = len(server.admin.client_list())
    answers = await asyncio.gather(*(ask(gate, market=f"m{n}") for n in range(500)))
    assert all(isinstance(answer, Granted) for answer in answers)
    assert len(server.admin.client_list()) - before <= CONNECTIONS
    await gate.close()
    await close_links()
