"""API credentials: derived, created once, and waited for while the venue does not know them yet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from tests.execution.bench_account import some_books
from tests.support.paper import TEST_KEY, paper_exchange_server

from kabobagool.clock import SystemClock
from kabobagool.execution.credentials import CredentialsError, ensure_credentials
from kabobagool.execution.wallet import Wallet

WALLET = Wallet(private_key=TEST_KEY)
ISSUED = {"apiKey": "the-key", "secret": "c2VjcmV0LXNlY3JldA==", "passphrase": "the-passphrase"}


class QuickClock:
    """Sleeping costs no time, but the clock moves."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now_ms(self) -> int:
        return int(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class AuthDesk:
    """A venue's key desk: what it answers to derive, create and use, and how often it was asked."""

    def __init__(self, *, derive: int = 200, create: int = 200, refusals: int = 0, refuse_with: int = 401) -> None:
        self.answers = {"derive": derive, "create": create}
        self.refusals = refusals
        self.refuse_with = refuse_with
        self.asked: list[str] = []
        self.stamps: list[str] = []

    async def derive(self, request: web.Request) -> web.Response:
        return self._issue("derive", request)

    async def create(self, request: web.Request) -> web.Response:
        return self._issue("create", request)

    async def use(self, request: web.Request) -> web.Response:
        self.asked.append("use")
        if self.refusals:
            self.refusals -= 1
            return web.json_response({"error": "Unauthorized/Invalid api key"}, status=self.refuse_with)
        return web.json_response({"apiKeys": ["the-key"]})

    def _issue(self, what: str, request: web.Request) -> web.Response:
        self.asked.append(what)
        self.stamps.append(request.headers["POLY_TIMESTAMP"])
        status = self.answers[what]
        return web.json_response(ISSUED if status == 200 else {"error": f"cannot {what}"}, status=status)


@asynccontextmanager
async def served(desk: AuthDesk) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/auth/derive-api-key", desk.derive)
    app.router.add_post("/auth/api-key", desk.create)
    app.router.add_get("/auth/api-keys", desk.use)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def test_credentials_are_created_once_and_derived_ever_after() -> None:
    async with paper_exchange_server(some_books()) as paper:
        first = await ensure_credentials(host=paper.urls["clob"], wallet=WALLET, clock=SystemClock())
        second = await ensure_credentials(host=paper.urls["clob"], wallet=WALLET, clock=SystemClock())
        assert first == second
        assert first.secret not in repr(first)


async def test_existing_credentials_are_derived_and_none_are_created() -> None:
    desk = AuthDesk()
    async with served(desk) as host:
        found = await ensure_credentials(host=host, wallet=WALLET, clock=QuickClock())
    assert (found.key, found.passphrase) == ("the-key", "the-passphrase")
    assert desk.asked == ["derive", "use"]
    assert desk.stamps == ["1000"]


async def test_new_credentials_that_are_refused_for_two_minutes_are_waited_for() -> None:
    desk = AuthDesk(derive=400, refusals=24)
    clock = QuickClock()
    async with served(desk) as host:
        await ensure_credentials(host=host, wallet=WALLET, clock=clock)
    assert desk.asked[:2] == ["derive", "create"]
    assert desk.asked.count("use") == 25
    assert clock.seconds == 1_120


async def test_credentials_that_never_work_name_what_to_check() -> None:
    async with served(AuthDesk(refusals=10_000)) as host:
        with pytest.raises(CredentialsError, match="signature type and funder") as failure:
            await ensure_credentials(host=host, wallet=WALLET, clock=QuickClock())
    assert ISSUED["secret"] not in str(failure.value)


async def test_a_venue_in_trouble_is_asked_again_and_a_plain_no_is_not() -> None:
    desk = AuthDesk(refusals=3, refuse_with=503)
    async with served(desk) as host:
        await ensure_credentials(host=host, wallet=WALLET, clock=QuickClock())
    with pytest.raises(CredentialsError, match="403"):
        async with served(AuthDesk(refusals=3, refuse_with=403)) as host:
            await ensure_credentials(host=host, wallet=WALLET, clock=QuickClock())


async def test_a_key_that_the_venue_gives_nothing_is_said() -> None:
    async with served(AuthDesk(derive=400, create=403)) as host:
        with pytest.raises(CredentialsError, match=r"HTTP 403: .*cannot create"):
            await ensure_credentials(host=host, wallet=WALLET, clock=QuickClock())
