"""A reader who follows a link arrives, and the project speaks of itself alone."""

import re
from pathlib import Path

import pytest
from tests.docs.pages import DOCS, PAGES, anchors, links, name

INDEX = DOCS / "README.md"
FOREIGN = re.compile(r"/work\b|/tmp/|\.\./shared|\bhelpers?\b|\bTODO\b|\bTBD\b|\bFIXME\b", re.IGNORECASE)


def target(page: Path, link: str) -> tuple[Path, str]:
    place, _, anchor = link.partition("#")
    return (page.parent / place).resolve() if place else page, anchor


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_to_a_file_and_to_a_heading_in_it(page: Path) -> None:
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        file, anchor = target(page, link)
        assert file.exists(), f"{name(page)}: {link} leads nowhere"
        assert not anchor or anchor in anchors(file), f"{name(page)}: {link} leads to no heading"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_address_on_the_web_goes_unencrypted(page: Path) -> None:
    assert [link for link in links(page) if link.startswith("http:") and "127.0.0.1" not in link] == []


def test_the_index_names_every_page() -> None:
    listed = {target(INDEX, link)[0] for link in links(INDEX)}
    assert {page for page in DOCS.glob("*.md") if page != INDEX} - listed == set()


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent in (DOCS, DOCS.parent)], ids=name)
def test_nothing_unfinished_and_nothing_of_somebody_elses_machine_is_in_it(page: Path) -> None:
    assert FOREIGN.findall(page.read_text()) == []
