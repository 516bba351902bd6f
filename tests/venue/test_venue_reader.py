import random
from collections.abc import Mapping
from decimal import Decimal
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.venue.venue_servers import NOW_MS, Answer, ManualClock, json_reply, reading, scripted_server

from kabobagool.venue.errors import VenueError
from kabobagool.venue.reader import (
    HttpStatusError,
    Reader,
    ResponseError,
    RetryPolicy,
    decode,
    field_integer,
    field_micros,
    field_price,
    plain_text,
)
from kabobagool.venue.transport import HttpReply, Params, TransportError

OK = Answer(200, {"ok": True})


class FlakyTransport:
    """Fails as told, then answers."""

    def __init__(self, failures: list[str]) -> None:
        self.failures = failures
        self.attempts = 0

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], params: Params, body: bytes | None, timeout_s: float
    ) -> HttpReply:
        self.attempts += 1
        if self.failures:
            raise TransportError(self.failures.pop(0), method=method, url=url)
        return json_reply(b"{}")

    async def close(self) -> None:
        raise AssertionError("a reader does not own its transport")


@pytest.mark.parametrize("status", [401, 408, 425, 429, 500, 502, 503, 504, 520])
async def test_a_read_survives_what_passes_by_itself(status: int) -> None:
    clock = ManualClock()
    async with scripted_server({"/time": [Answer(status, "busy"), Answer(status, "busy"), OK]}) as server, reading(clock) as reader:
        assert await reader.get_json(f"{server.url}/time") == {"ok": True}
    assert len(server.requests) == 3
    assert len(clock.slept) == 2


@pytest.mark.parametrize("status", [301, 400, 403, 404, 409, 418, 422])
async def test_a_refusal_is_not_asked_again(status: int) -> None:
    clock = ManualClock()
    async with scripted_server({"/time": Answer(status, "no such thing")}) as server, reading(clock) as reader:
        with pytest.raises(HttpStatusError, match=f"127.0.0.1/time: HTTP {status}: no such thing") as caught:
            await reader.get_json(f"{server.url}/time")
    assert caught.value.status == status
    assert len(server.requests) == 1
    assert clock.slept == []


async def test_a_read_gives_up_after_the_attempts_it_has() -> None:
    clock = ManualClock()
    async with scripted_server({"/time": Answer(502, "bad gateway")}) as server, reading(clock, RetryPolicy(attempts=3)) as reader:
        with pytest.raises(HttpStatusError, match="HTTP 502"):
            await reader.get_json(f"{server.url}/time")
    assert len(server.requests) == 3
    assert len(clock.slept) == 2


async def test_the_waits_grow_are_jittered_and_stay_below_the_longest() -> None:
    clock = ManualClock()
    policy = RetryPolicy(attempts=8, first_delay_s=1.0, longest_delay_s=4.0)
    async with scripted_server({"/time": Answer(500, "")}) as server, reading(clock, policy) as reader:
        with pytest.raises(HttpStatusError):
            await reader.get_json(f"{server.url}/time")
    bounds = [1, 2, 4, 4, 4, 4, 4]
    assert all(bound / 2 <= slept <= bound for slept, bound in zip(clock.slept, bounds, strict=True))
    assert len(set(clock.slept)) == len(clock.slept)


@pytest.mark.parametrize("asked", ["9", formatdate(NOW_MS / 1000 + 9, usegmt=True)])
async def test_a_read_waits_as_long_as_it_was_told(asked: str) -> None:
    clock = ManualClock()
    async with scripted_server({"/time": [Answer(429, "", {"Retry-After": asked}), OK]}) as server, reading(clock) as reader:
        await reader.get_json(f"{server.url}/time")
    assert 8 <= clock.slept[0] <= 9


async def test_a_wait_too_long_to_sit_out_ends_the_read_and_is_told() -> None:
    clock = ManualClock()
    async with scripted_server({"/time": Answer(425, "", {"Retry-After": "90"})}) as server, reading(clock) as reader:
        with pytest.raises(HttpStatusError) as caught:
            await reader.get_json(f"{server.url}/time")
    assert caught.value.retry_after_s == 90
    assert clock.slept == []


async def test_a_lost_connection_is_tried_again_but_a_bad_address_is_not() -> None:
    flaky = FlakyTransport(["connect", "timeout"])
    await Reader(flaky, clock=ManualClock(), rng=random.Random(1)).fetch("http://x/time")
    assert flaky.attempts == 3
    hopeless = FlakyTransport(["url", "url"])
    with pytest.raises(TransportError):
        await Reader(hopeless, clock=ManualClock(), rng=random.Random(1)).fetch("http://x/time")
    assert hopeless.attempts == 1


async def test_a_network_that_stays_down_is_reported_as_such() -> None:
    flaky = FlakyTransport(["network"] * 9)
    with pytest.raises(TransportError, match="GET x/time: network"):
        await Reader(flaky, clock=ManualClock(), rng=random.Random(1)).fetch("http://x/time")
    assert flaky.attempts == RetryPolicy().attempts


async def test_every_attempt_is_signed_anew() -> None:
    clock = ManualClock()
    async with scripted_server({"/data": [Answer(401, ""), OK]}) as server, reading(clock) as reader:
        await reader.fetch(f"{server.url}/data", sign=lambda: {"POLY_TIMESTAMP": str(clock.now_ms())})
    first, second = (int(seen.headers["POLY_TIMESTAMP"]) for seen in server.requests)
    assert first < second


async def test_an_accepted_status_is_an_answer() -> None:
    async with scripted_server({}) as server, reading() as reader:
        assert (await reader.fetch(f"{server.url}/nothing", accept=(200, 404))).status == 404


async def test_a_reply_that_is_no_json_names_the_endpoint() -> None:
    async with scripted_server({"/time": Answer(200, "<html>")}) as server, reading() as reader:
        with pytest.raises(ResponseError, match=r"127\.0\.0\.1/time"):
            await reader.get_json(f"{server.url}/time")


async def test_an_unauthorised_read_says_where_to_look() -> None:
    async with scripted_server({"/time": Answer(401, "Unauthorized")}) as server, reading() as reader:
        with pytest.raises(HttpStatusError, match="credentials"):
            await reader.get_json(f"{server.url}/time")


def test_fractions_are_read_as_they_are_written() -> None:
    assert decode(object, json_reply(b'{"a": 0.1, "b": 1e-4}'), "/x") == {"a": Decimal("0.1"), "b": Decimal("0.0001")}


@pytest.mark.parametrize(("value", "price"), [("0.48", 4800), (Decimal("0.001"), 10), (0.5, 5000), (1, 10_000), (Decimal("1e-4"), 1)])
def test_a_price_may_be_text_or_number(value: object, price: int) -> None:
    assert field_price(value, "/x", "price") == price


@pytest.mark.parametrize("value", [None, "", "abc", True, [], {}, -1, "-1", float("nan"), Decimal("Infinity"), Decimal("1e99999")])
def test_a_number_that_is_none_names_endpoint_and_field(value: object) -> None:
    for read in (field_price, field_micros, field_integer):
        with pytest.raises(ResponseError, match="/books: field size"):
            read(value, "/books", "size")


@given(st.integers(0, 10**18))
def test_an_amount_is_the_same_as_text_and_as_number(micros: int) -> None:
    value = Decimal(micros) / 1_000_000
    assert field_micros(value, "", "") == field_micros(plain_text(value), "", "") == micros


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text() | st.lists(st.integers()))
def test_no_value_makes_a_field_raise_anything_else(value: object) -> None:
    for read in (field_price, field_micros, field_integer):
        try:
            assert read(value, "/x", "y") >= 0
        except VenueError:
            continue
