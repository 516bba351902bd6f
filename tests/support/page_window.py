"""The fleet's page in a browser, and what a person does in it: the same page of a Hydra and of a cluster."""

from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Page

DESKTOP = {"width": 1440, "height": 900}


@dataclass
class PageWindow:
    """`complaints` are all errors of its console, its scripts and its policy."""

    page: Page
    complaints: list[str] = field(default_factory=list, kw_only=True)

    def __post_init__(self) -> None:
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def row(self, title: str) -> Any:
        return self.page.locator(".market").filter(has_text=title)

    async def confirm(self, *, why: str | None = None, token: str | None = None) -> None:
        """Fill in the dialog and press its button."""
        if why is not None:
            await self.page.fill("#why", why)
        if token is not None:
            await self.page.fill("#token", token)
        await self.page.click("#confirm")
