"""What single variables cannot know of each other: the checks over all of them together.

Called once by `settings.py`, when every variable by itself is fine. Each check looks at few variables and returns one problem or
none, so that a trader reads all of what is wrong at once and not one line per restart.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import SecretStr

from kabobagool.settings_fields import (
    MarketVariables,
    MemoryVariables,
    ModeVariables,
    PacingVariables,
    StrategyVariables,
    VenueVariables,
    WalletVariables,
)
from kabobagool.settings_gate import GateVariables

VENUE_DOMAIN = "polymarket.com"
WALLET_KINDS = "1 Polymarket proxy (e-mail login), 2 Safe (browser wallet), 3 deposit wallet (accounts opened since May 2026)"


class Checked(
    ModeVariables,
    WalletVariables,
    MarketVariables,
    StrategyVariables,
    PacingVariables,
    GateVariables,
    VenueVariables,
    MemoryVariables,
):
    """The variables that are checked against each other."""


class Problem(NamedTuple):
    """One thing that is wrong: the `variable` to change, what is wrong with it, and all variables (lower case) that were looked at."""

    variable: str
    text: str
    involved: tuple[str, ...]


class CrossCheckError(ValueError):
    """The problems between variables that are each fine alone."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(f"{problem.variable}: {problem.text}" for problem in problems))
        self.problems = problems


def key_address(private_key: SecretStr) -> str:
    """Address of a private key (0x and 40 lower-case digits)."""
    from coincurve import PrivateKey

    from kabobagool.venue.signing import address_of

    public = PrivateKey(bytes.fromhex(private_key.get_secret_value()[2:])).public_key.format(compressed=False)
    return address_of(public).lower()


def at_the_venue(url: str) -> bool:
    """Whether a URL leads to Polymarket itself, where orders cost real money."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return host == VENUE_DOMAIN or host.endswith("." + VENUE_DOMAIN)


def _buffer_below_cost(s: Checked) -> Problem | None:
    if s.edge_buffer < s.max_pair_cost:
        return None
    text = f"nothing is left of MAX_PAIR_COST {s.max_pair_cost} after it, so nothing is ever bought; make it smaller (default 0.0)"
    return Problem("EDGE_BUFFER", text, ("edge_buffer", "max_pair_cost"))


def _cooldown_grows(s: Checked) -> Problem | None:
    if s.cooldown_max_s >= s.cooldown_base_s:
        return None
    text = f"the longest pause is below COOLDOWN_BASE_S {s.cooldown_base_s}; make it that or more (default 30)"
    return Problem("COOLDOWN_MAX_S", text, ("cooldown_max_s", "cooldown_base_s"))


def _tokens_differ(s: Checked) -> Problem | None:
    if s.token_no is None or s.token_no != s.token_yes:
        return None
    text = "is the same token as TOKEN_YES; a market has two, take both from `clobTokenIds`"
    return Problem("TOKEN_NO", text, ("token_yes", "token_no"))


def _both_tokens(s: Checked) -> Problem | None:
    if (s.token_yes is None) == (s.token_no is None):
        return None
    given, missing = ("TOKEN_YES", "TOKEN_NO") if s.token_no is None else ("TOKEN_NO", "TOKEN_YES")
    return Problem(missing, f"{given} is; set both or neither (MARKET_SLUG needs neither)", ("token_yes", "token_no"))


def ways_to_the_market(s: MarketVariables) -> tuple[str, ...]:
    """The ways in which a market is named, by variable."""
    ways = {"MARKET_SLUG": s.market_slug, "CONDITION_ID": s.condition_id, "TOKEN_YES": s.token_yes or s.token_no}
    return tuple(name for name, value in ways.items() if value is not None)


def _one_market(s: Checked) -> Problem | None:
    ways = ways_to_the_market(s)
    if len(ways) < 2:
        return None
    text = f"the market is named by {' and '.join(ways)}; keep one of them and remove the rest"
    return Problem(ways[1], text, ("market_slug", "condition_id", "token_yes", "token_no"))


def _live_has_a_key(s: Checked) -> Problem | None:
    if s.dry_run or s.private_key is not None:
        return None
    text = "live trading (DRY_RUN=false) signs orders with it; set it, or keep DRY_RUN=true"
    return Problem("PRIVATE_KEY", text, ("dry_run", "private_key"))


def _live_in_one_place(s: Checked) -> Problem | None:
    elsewhere = [url for url in (s.market_socket_url, s.gamma_host) if not at_the_venue(url)]
    if s.dry_run or not at_the_venue(s.host) or not elsewhere:
        return None
    variable = "MARKET_SOCKET_URL" if elsewhere[0] == s.market_socket_url else "GAMMA_HOST"
    text = f"real orders at {s.host} would be decided by what another place says; use {VENUE_DOMAIN} for all three, or DRY_RUN=true"
    return Problem(variable, text, ("dry_run", "host", "market_socket_url", "gamma_host"))


def _encrypted_to_the_venue(s: Checked) -> Problem | None:
    urls = {"HOST": s.host, "GAMMA_HOST": s.gamma_host, "MARKET_SOCKET_URL": s.market_socket_url}
    plain = [name for name, url in urls.items() if at_the_venue(url) and urlsplit(url).scheme in ("http", "ws")]
    if not plain:
        return None
    return Problem(plain[0], "goes to the venue without encryption; write https:// (or wss://)", tuple(name.lower() for name in urls))


def _venue_time_is_real(s: Checked) -> Problem | None:
    if s.clock_rate <= 1 or not any(at_the_venue(url) for url in (s.host, s.gamma_host, s.market_socket_url)):
        return None
    text = f"only a paper exchange runs faster than the wall clock, {VENUE_DOMAIN} does not; set 1, or HOST to the paper exchange"
    return Problem("CLOCK_RATE", text, ("clock_rate", "host", "gamma_host", "market_socket_url"))


def _credentials_complete(s: Checked) -> Problem | None:
    parts = {"CLOB_API_KEY": s.clob_api_key, "CLOB_API_SECRET": s.clob_api_secret, "CLOB_API_PASSPHRASE": s.clob_api_passphrase}
    missing = [name for name, value in parts.items() if value is None]
    if len(missing) in (0, len(parts)):
        return None
    text = f"{' and '.join(name for name in parts if name not in missing)} is; set all three, or none to derive them from PRIVATE_KEY"
    return Problem(missing[0], text, tuple(name.lower() for name in parts))


def _wallet_kind(s: Checked) -> Problem | None:
    involved = ("private_key", "proxy_address", "signature_type")
    if s.signature_type and s.proxy_address is None:
        return Problem("PROXY_ADDRESS", f"SIGNATURE_TYPE={s.signature_type} needs it, the wallet that holds the funds", involved)
    if s.private_key is None or s.proxy_address is None:
        return None
    own = key_address(s.private_key) == s.proxy_address.lower()
    if own and s.signature_type:
        text = "PROXY_ADDRESS is the key's own address, and that is kind 0; remove one of the two"
        return Problem("SIGNATURE_TYPE", text, involved)
    if not own and not s.signature_type:
        text = f"PROXY_ADDRESS is not the key's own address, so say what kind of wallet it is: {WALLET_KINDS}"
        return Problem("SIGNATURE_TYPE", text, involved)
    return None


def _required_is_enabled(s: Checked) -> Problem | None:
    if s.enable_reconciliation or not s.reconciliation_required:
        return None
    text = "ENABLE_RECONCILIATION=false, so it can never succeed; enable it or do not require it"
    return Problem("RECONCILIATION_REQUIRED", text, ("reconciliation_required", "enable_reconciliation"))


CHECKS: tuple[Callable[[Checked], Problem | None], ...] = (
    _live_has_a_key,
    _live_in_one_place,
    _encrypted_to_the_venue,
    _venue_time_is_real,
    _wallet_kind,
    _credentials_complete,
    _both_tokens,
    _tokens_differ,
    _one_market,
    _buffer_below_cost,
    _cooldown_grows,
    _required_is_enabled,
)


def cross_problems(settings: Checked) -> tuple[Problem, ...]:
    """All problems between the variables, in the order of the checks."""
    return tuple(problem for check in CHECKS if (problem := check(settings)) is not None)


def market_problem(settings: MarketVariables, *, taken: Mapping[str, str]) -> Problem | None:
    """The problem of a bot that was not told its market. What is in `taken` was given, if wrongly, and is complained about elsewhere."""
    names = ("market_slug", "condition_id", "token_yes", "token_no")
    if ways_to_the_market(settings) or any(name in taken for name in names):
        return None
    return Problem("MARKET_SLUG", "no market is named; set it, or CONDITION_ID, or TOKEN_YES and TOKEN_NO", names)
