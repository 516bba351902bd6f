"""Whether the venue is there, is the one this bot signs for, keeps the same time, and takes orders from here.

Called by `examine.py`. Nothing here needs a key.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from kabobagool.doctor.clock_skew import Sample, offset_ms
from kabobagool.doctor.finding import Verdict, broken, doubtful, fine
from kabobagool.doctor.patient import Patient
from kabobagool.settings_checks import at_the_venue
from kabobagool.venue.clob import SUPPORTED_VERSION
from kabobagool.venue.errors import VenueError
from kabobagool.venue.gamma import read_market
from kabobagool.venue.reader import ResponseError

LISTED: Final = 10
LOOKS: Final = 5
LOOK_EVERY_S: Final = 0.23
"""Not a part of a second that divides it: each look must meet another moment of the venue's second."""
SKEW_WARNING_MS: Final = 1_000
SKEW_FAILURE_MS: Final = 5_000
GEOBLOCK_PATH: Final = "/api/geoblock"
VENUE_GEOBLOCK_URL: Final = "https://polymarket.com" + GEOBLOCK_PATH
_PERMITTED: Final = "trade only from where the venue's terms and local law permit it; a dry run works everywhere"


async def check_catalogue(patient: Patient) -> Verdict:
    """Gamma answers with markets; the busiest open one is remembered for the socket."""
    url = f"{patient.settings.gamma_host}/markets/keyset"
    params = [("limit", str(LISTED)), ("order", "volume24hr"), ("ascending", "false"), ("closed", "false")]
    answer = await patient.reader.get_json(url, params=params)
    items = answer.get("markets") if isinstance(answer, Mapping) else answer
    if not isinstance(items, list):
        raise ResponseError("/markets/keyset: field markets: a list was expected")
    patient.busy_tokens = next((tokens for item in items if (tokens := _open_tokens(item))), ())
    if not items:
        return doubtful(f"{patient.settings.gamma_host} answers, but lists no open market", "check GAMMA_HOST, or wait for markets to open")
    return fine(f"{patient.settings.gamma_host} answers and lists markets")


def _open_tokens(item: object) -> tuple[str, ...]:
    """Tokens of a catalogue entry whose books should be there; nothing for one that is odd: that is not what is examined here."""
    try:
        market = read_market(item) if isinstance(item, Mapping) else None
    except VenueError:
        return ()
    return market.tokens if market is not None and market.accepting_orders and market.has_order_book and not market.closed else ()


async def check_exchange(patient: Patient) -> Verdict:
    """The CLOB answers and settles on the version this bot signs for."""
    await patient.clob.assert_version()
    return fine(f"{patient.settings.host} answers and settles on version {SUPPORTED_VERSION}")


async def check_clock(patient: Patient) -> Verdict:
    """This machine's clock agrees with the venue's: signatures and the age of prices depend on it."""
    if patient.settings.clock_rate != 1:
        return fine(f"not compared: with CLOCK_RATE={patient.settings.clock_rate:g} the bot takes over the venue's clock")
    ahead_ms = offset_ms([await _look(patient, first=number == 0) for number in range(LOOKS)])
    words = f"this machine is {abs(ahead_ms) / 1000:.1f} s {'ahead of' if ahead_ms > 0 else 'behind'} the venue"
    fix = "synchronise the clock (timedatectl set-ntp true, or chrony); in a container it is the host's clock"
    if abs(ahead_ms) > SKEW_FAILURE_MS:
        return broken(f"{words}: prices look old or from the future and signatures are refused", fix)
    if abs(ahead_ms) > SKEW_WARNING_MS:
        return doubtful(f"{words}: the age of prices is misjudged", fix)
    return fine(f"{words}, within {SKEW_WARNING_MS / 1000:g} s")


async def _look(patient: Patient, *, first: bool) -> Sample:
    if not first:
        await patient.clock.sleep(LOOK_EVERY_S)
    asked_ms = patient.clock.now_ms()
    said_ms = await patient.clob.server_time_ms()
    return Sample(asked_ms, patient.clock.now_ms(), said_ms)


def geoblock_url(host: str) -> str:
    """Where to ask whether this address may trade: the venue's own site, or beside the CLOB of a paper exchange."""
    if at_the_venue(host):
        return VENUE_GEOBLOCK_URL
    parts = urlsplit(host)
    return f"{parts.scheme}://{parts.netloc}{GEOBLOCK_PATH}"


async def check_region(patient: Patient) -> Verdict:
    """The venue takes orders from the address this machine is seen with, proxy included."""
    unknown = "orders would show it (HTTP 403); look at the venue's list of restricted places"
    try:
        answer = await patient.reader.get_json(geoblock_url(patient.settings.host))
    except VenueError as e:
        return doubtful(f"whether orders are taken from here could not be learned: {e}", unknown)
    if not isinstance(answer, Mapping) or not isinstance(blocked := answer.get("blocked"), bool):
        return doubtful("whether orders are taken from here could not be learned: the answer says nothing about it", unknown)
    place = " ".join(str(part)[:20] for part in (answer.get("country"), answer.get("region")) if part) or "an unnamed place"
    if blocked:
        return broken(f"the venue takes no orders from here ({place})", _PERMITTED)
    return fine(f"orders are taken from here ({place})")
