"""A refusal as the venue words it, raised anywhere below a handler and turned into a reply by one middleware.

Handlers raise `VenueError`; `application.py` catches it. Nothing else decides about status codes.
"""

from dataclasses import dataclass, field


@dataclass(eq=False)
class VenueError(Exception):
    """An HTTP status with the venue's own error text and, where the venue sends them, an order id, a code or headers."""

    status: int
    error: str
    order_id: str = ""
    code: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, str]:
        """The JSON body of the refusal."""
        body = {"error": self.error}
        if self.code:
            body["code"] = self.code
        if self.order_id:
            body["orderID"] = self.order_id
        return body


def bad_request(error: str, *, order_id: str = "") -> VenueError:
    """400: the request itself is wrong."""
    return VenueError(400, error, order_id=order_id)


def unauthorized(error: str = "Unauthorized/Invalid api key") -> VenueError:
    """401: the caller is not who the headers say."""
    return VenueError(401, error)


def not_found(error: str) -> VenueError:
    """404: no such market, book or order."""
    return VenueError(404, error)
