"""From an error of the venue package to the sentence that helps.

`examine.py` asks for it whenever a check ended with an error instead of a verdict, so that a check only needs to know its own subject.
"""

from kabobagool.venue.clob import VersionError
from kabobagool.venue.reader import HttpStatusError, ResponseError
from kabobagool.venue.transport import TransportError

_NETWORK = {
    "timeout": "try again; if it stays so, check network and firewall, or raise REQUEST_TIMEOUT_S",
    "connect": "check that this machine is online and resolves names, and that {variable} is right",
    "proxy": "check CLOB_PROXY_URL: the proxy does not take the connection",
    "tls": "check the machine's date and its CA certificates, and whether something on the way intercepts TLS",
    "url": "correct {variable}",
    "network": "try again; if it stays so, check network and firewall, and that {variable} is right",
}
_STATUSES = {
    401: "try again; if it stays so, the API credentials are not those of PRIVATE_KEY",
    403: "the content network refuses this machine: see the line about the region, or set USE_BROWSER_IMPERSONATION=true",
    404: "check {variable}: what answers there does not know this address",
    425: "the exchange is restarting: wait a few minutes and run this again; orders are only taken two minutes after it is back",
    429: "too many requests from this address: wait a minute and run this again",
}


def remedy(error: Exception, *, variable: str) -> str:
    """What to do about an error of a check that reads at the place `variable` names."""
    match error:
        case TransportError(reason=reason):
            text = _NETWORK.get(reason, _NETWORK["network"])
        case HttpStatusError(status=status):
            text = _STATUSES.get(status) or ("the venue has trouble: try again in a few minutes" if status >= 500 else _STATUSES[404])
        case VersionError():
            text = "update kabobagool; until then do not trade: every order would be refused"
        case ResponseError():
            text = "check {variable}: what answers there does not speak like the venue; if it is the venue, update kabobagool"
        case TimeoutError():
            text = _NETWORK["timeout"]
        case _:
            text = "try again; if it stays so, check {variable}"
    return text.format(variable=variable)
