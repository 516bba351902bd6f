"""What a socket of the market channel is told to deliver: the venue's three frames, and which of them are still to be sent.

A frame with thousands of ids closes the connection, so every frame carries few; both tokens of a market travel in the same one.
`market_feed.py` needs the first frame only; `shared_socket.py` subscribes and unsubscribes while frames arrive.
"""

from collections.abc import Iterator, Sequence

import msgspec

Tokens = Sequence[str]


def subscribe_frame(tokens: Tokens) -> str:
    """The text that subscribes a fresh connection to the books of these tokens."""
    return _text({"type": "market", "assets_ids": list(tokens), "custom_feature_enabled": True})


def also_subscribe_frame(tokens: Tokens) -> str:
    """The text that adds these tokens to a connection that is subscribed to others."""
    return _text({"operation": "subscribe", "assets_ids": list(tokens), "custom_feature_enabled": True})


def unsubscribe_frame(tokens: Tokens) -> str:
    """The text that takes these tokens off a connection."""
    return _text({"operation": "unsubscribe", "assets_ids": list(tokens)})


def greeting(tokens: Tokens, *, most: int) -> Iterator[str]:
    """Frames that subscribe a fresh connection to all of these, at most `most` ids in each."""
    for number, chunk in enumerate(chunks(tokens, most=most)):
        yield also_subscribe_frame(chunk) if number else subscribe_frame(chunk)


def chunks(tokens: Tokens, *, most: int) -> Iterator[Tokens]:
    """The tokens in order, at most `most` at a time."""
    for start in range(0, len(tokens), most):
        yield tokens[start : start + most]


class PendingChanges:
    """Subscriptions that changed since the venue was told. What was undone before anybody spoke is never said."""

    __slots__ = ("_join", "_leave")

    def __init__(self) -> None:
        self._join: dict[str, None] = {}
        self._leave: dict[str, None] = {}

    def __bool__(self) -> bool:
        return bool(self._join or self._leave)

    def clear(self) -> None:
        """A fresh connection is told everything anyway."""
        self._join.clear()
        self._leave.clear()

    def join(self, tokens: Tokens) -> None:
        """Deliver these from now on."""
        self._join.update(dict.fromkeys(tokens))

    def leave(self, tokens: Tokens) -> None:
        """Deliver these no more."""
        for token in tokens:
            if token in self._join:
                del self._join[token]
            else:
                self._leave[token] = None

    def renew(self, tokens: Tokens) -> None:
        """Leave and join again, for the sake of the books that the venue dumps on joining."""
        self.leave(tokens)
        self.join(tokens)

    def frames(self, *, most: int) -> list[str]:
        """What to say now, leaving before joining so that no limit is passed in between; nothing is pending afterwards."""
        told = [unsubscribe_frame(chunk) for chunk in chunks(list(self._leave), most=most)]
        told += [also_subscribe_frame(chunk) for chunk in chunks(list(self._join), most=most)]
        self.clear()
        return told


def _text(message: dict[str, object]) -> str:
    return msgspec.json.encode(message).decode()
