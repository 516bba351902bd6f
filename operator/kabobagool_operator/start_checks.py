"""What is wrong with the operator's settings although each of them may be had: said before anything starts, and not once it leads.

`cli.py` asks.
"""

from urllib.parse import urlsplit

from kabobagool.gate.redis_url import connect
from kabobagool.settings import SettingsError, default_text
from kabobagool_operator.arbmarket_spec import Mode
from kabobagool_operator.bot_config import policy_problems
from kabobagool_operator.bot_profiles import Profiles
from kabobagool_operator.discovered import discovery_criteria
from kabobagool_operator.leader import JITTER
from kabobagool_operator.policy import Policy

PATIENCE_S = 1.0
VENUE = "polymarket.com"


def start_problems(policy: Policy) -> list[str]:
    """A line for each problem: which variable, its value, the fix."""
    return [
        *policy_problems(policy),
        *_of_discovery(policy),
        *_of_live_discovery(policy),
        *_of_the_paper_exchange(policy),
        *_of_the_gate(policy),
        *_of_the_election(policy),
    ]


def _of_discovery(policy: Policy) -> tuple[str, ...]:
    if policy_problems(policy):
        return ()
    try:
        discovery_criteria(policy, Profiles(policy.profiles_dir))
    except SettingsError as e:
        return tuple(f"KABOBAGOOL_DISCOVERY_PROFILE={policy.discovery_profile}: {problem}" for problem in e.problems)
    return ()


def _of_live_discovery(policy: Policy) -> tuple[str, ...]:
    """Markets that are found name no wallet, and the operator may not read the key that would tell."""
    if not policy.discovery or policy.discovery_mode is not Mode.LIVE or policy.redis_url is None or policy.live_wallet is not None:
        return ()
    said = (
        "KABOBAGOOL_LIVE_WALLET is not set: with KABOBAGOOL_DISCOVERY_MODE=Live give the public address that holds the money, or nobody "
        "hears the bots of discovered markets at the order gate and they cannot be drained"
    )
    return (said,)


def _of_the_paper_exchange(policy: Policy) -> tuple[str, ...]:
    """What is called paper trading must not reach the venue."""
    if policy.paper_wallet is None:
        return ()
    addresses = {"GAMMA_URL": policy.gamma_url, "CLOB_URL": policy.clob_url, "WS_URL": policy.ws_url or default_text("market_socket_url")}
    return tuple(
        f"KABOBAGOOL_{name}={url}: is the venue's own; with KABOBAGOOL_PAPER_WALLET set, write the paper exchange's address there"
        for name, url in addresses.items()
        if f".{urlsplit(url).hostname}".endswith(f".{VENUE}")
    )


def _of_the_gate(policy: Policy) -> tuple[str, ...]:
    if policy.redis_url is None:
        return ()
    try:
        connect(policy.redis_url.get_secret_value(), timeout_s=PATIENCE_S)
    except ValueError as e:
        return (f"KABOBAGOOL_REDIS_URL=***: {e}; write it like redis://user:password@host:6379/0, or rediss:// with TLS",)
    return ()


def _of_the_election(policy: Policy) -> tuple[str, ...]:
    retry_s = policy.retry_s * (1 + JITTER)
    if int(policy.lease_s) > policy.renew_deadline_s > 2 * policy.retry_s > 0 and policy.renew_deadline_s > retry_s:
        return ()
    given = f"KABOBAGOOL_LEASE_S={policy.lease_s:g}, RENEW_DEADLINE_S={policy.renew_deadline_s:g}, RETRY_S={policy.retry_s:g}"
    return (f"{given}: the first must be larger than the second, and that larger than twice the third; usual are 15, 10 and 2",)
