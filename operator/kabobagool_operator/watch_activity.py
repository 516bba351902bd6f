"""When each watch last showed a sign of life, so that one that died silently is noticed by its silence.

The framework keeps the watches and tells nobody how they do: handlers hear of objects and not of bookmarks, and a quiet cluster has no news
for hours. But a watch that lives is begun again whenever the API server ends it, which it is asked to do every minute or so. So
the session the framework uses is made with `notes_watches` among its middlewares, and the handlers of events call `seen`; `probes.py`
judges.
"""

from collections.abc import Iterable
from typing import Final

from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse

from kabobagool.clock import Clock
from kabobagool_operator.kinds import Kind

SLACK: Final = 7 / 6


def inactivity_s(watch_s: int) -> float:
    """How long a watch that the API server is asked to end after `watch_s` may show nothing before it is begun anew: a sixth longer."""
    return watch_s * SLACK


class WatchActivity:
    """The watches of these kinds, whose time counts from now on."""

    def __init__(self, kinds: Iterable[Kind], *, clock: Clock) -> None:
        self._clock = clock
        self._seen_s = {kind.plural: clock.monotonic() for kind in kinds}
        self._begun: set[str] = set()

    @property
    def silence_s(self) -> dict[str, float]:
        """Seconds since each kind's last sign of life, by its plural."""
        now = self._clock.monotonic()
        return {plural: now - seen_s for plural, seen_s in self._seen_s.items()}

    @property
    def unlisted(self) -> tuple[str, ...]:
        """The kinds whose watch was never begun: it begins when all objects have been listed."""
        return tuple(plural for plural in self._seen_s if plural not in self._begun)

    def seen(self, plural: str) -> None:
        """An event of this kind arrived. Kinds that are not watched by us are left alone."""
        if plural in self._seen_s:
            self._seen_s[plural] = self._clock.monotonic()

    def begun(self, plural: str) -> None:
        """The API server has accepted a watch of this kind."""
        if plural in self._seen_s:
            self._begun.add(plural)
            self.seen(plural)


def notes_watches(activity: WatchActivity) -> ClientMiddlewareType:
    """Make the middleware of an aiohttp session that notes every watch that is accepted."""

    async def note(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        response = await handler(request)
        if request.url.query.get("watch") == "true" and response.status == 200:
            activity.begun(request.url.name)
        return response

    return note
