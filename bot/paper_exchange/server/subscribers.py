"""Open sockets and what each wants to hear; a slow one is cut off, never waited for.

`sockets.py` opens and closes subscribers, `broadcast.py` writes to them. Writing is a queue append: nobody blocks anybody.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

DEFAULT_QUEUE_FRAMES = 4096


@dataclass(eq=False, slots=True)
class Subscriber:
    """One socket: its bounded queue of encoded frames and its subscriptions."""

    limit: int = DEFAULT_QUEUE_FRAMES
    topics: set[str] = field(default_factory=set)
    custom_features: bool = False
    wallets_of: str = ""
    api_key: str = ""
    all_markets: bool = False
    severed: bool = False
    hang_up: Callable[[], None] | None = None
    _frames: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)

    def offer(self, frame: str) -> None:
        """Queue a frame; a subscriber whose queue is full is closed instead."""
        if self.severed:
            return
        if self._frames.qsize() >= self.limit:
            self.cut()
            return
        self._frames.put_nowait(frame)

    def close(self) -> None:
        """Ask the writer to end after what is queued."""
        self._frames.put_nowait(None)

    def cut(self) -> None:
        """Drop the connection without a farewell and without what is queued, even while its writer waits for a reader."""
        self.severed = True
        self.close()
        if self.hang_up is not None:
            self.hang_up()

    async def next_frame(self) -> str | None:
        """The next frame to send, None when the socket should be closed (at once if it was cut)."""
        frame = await self._frames.get()
        return None if self.severed else frame


@dataclass(slots=True)
class Subscribers:
    """All sockets of one channel, found by topic (token id or condition id)."""

    _all: dict[Subscriber, None] = field(default_factory=dict)
    _by_topic: dict[str, dict[Subscriber, None]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Subscriber]:
        return iter(tuple(self._all))

    def add(self, subscriber: Subscriber) -> None:
        """A socket was opened."""
        self._all[subscriber] = None

    def remove(self, subscriber: Subscriber) -> None:
        """A socket is gone; forgets its subscriptions too."""
        self.unsubscribe(subscriber, tuple(subscriber.topics))
        self._all.pop(subscriber, None)

    def subscribe(self, subscriber: Subscriber, topics: Iterable[str]) -> list[str]:
        """Subscribe to topics and return those which are new to this socket, in order."""
        fresh = [topic for topic in dict.fromkeys(topics) if topic not in subscriber.topics]
        for topic in fresh:
            subscriber.topics.add(topic)
            self._by_topic.setdefault(topic, {})[subscriber] = None
        return fresh

    def unsubscribe(self, subscriber: Subscriber, topics: Iterable[str]) -> None:
        """Drop topics of this socket."""
        for topic in topics:
            subscriber.topics.discard(topic)
            listeners = self._by_topic.get(topic)
            if listeners is not None:
                listeners.pop(subscriber, None)
                if not listeners:
                    del self._by_topic[topic]

    def listening(self, topics: Iterable[str]) -> list[Subscriber]:
        """Every socket subscribed to at least one of the topics, each once."""
        found: dict[Subscriber, None] = {}
        for topic in topics:
            found.update(self._by_topic.get(topic, {}))
        return list(found)
