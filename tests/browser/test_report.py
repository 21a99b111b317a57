"""The report in a real browser: on a desk, on a phone, in the dark, on paper, without a network."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from controls.answers import Answer
from controls.catalogue import load
from controls.report import Audit, build, page
from controls.verdict import STATUSES, Check, Exceptions, combine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / ".cache" / "screenshots"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SIZES = {"desk": (1280, 900), "phone": (375, 780)}
QUESTIONS = [f"Question {number} of an auditor?" for number in range(1, 11)]
REASON = "port 5432 answers a visitor at 2001:db8::5; allowed are 22, 80 and 443 (network_exposure)"


def report() -> str:
    """A page with everything that a page can have: each status, a change, a waiver, forty audits, ten answers."""
    hosts = ("server", "backup")
    broken = {"NET-1": "not met", "ACC-2": "not assessed", "LOG-2": "waived"}
    checks = [
        Check(
            control=name,
            host=host,
            name=f"what is promised holds, ipv{family}",
            status=broken.get(name, "met") if (host, family) == ("server", 6) else "met",  # type: ignore[arg-type]
            reason=REASON if name in broken and (host, family) == ("server", 6) else "",
            evidence=(f"raw/{host}/rules-ipv{family}.txt", f"raw/{host}/listening.txt"),
        )
        for name in load()
        for host in hosts
        for family in (4, 6)
    ]
    verdicts = combine(checks, load())
    made = build(environment="production", time=NOON, version="1.0.0", hosts=hosts, verdicts=verdicts)
    fine = [{**entry, "status": "met", "reason": ""} for entry in made["controls"]]
    before = [{**made, "time": f"2026-11-{day:02}T12:00:00Z", "controls": fine} for day in range(1, 24)] * 2
    waiver = {"control": "LOG-2", "reason": REASON, "owner": "jane", "until": "2027-01-31"}
    audit = Audit(
        report=made,
        verdicts=verdicts,
        missing=["NET-1 on server: open", "ACC-2 on server: open"],
        exceptions=Exceptions(waivers=[waiver]),
        answers=[
            Answer(question=text, text=f"{REASON}.", control="NET-1", evidence=("raw/server/listening.txt",))
            for text in QUESTIONS
        ],
        before=before,
        signer="SHA256:" + "a" * 43,
    )
    return page(audit)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page as a file, as it lies in a bundle."""
    path = tmp_path_factory.mktemp("bundle") / "report.html"
    path.write_text(report(), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def asked() -> list[str]:
    """Every address that the page asked for."""
    return []


@pytest.fixture(params=["desk", "phone"])
def size(request: pytest.FixtureRequest) -> str:
    """What the page is looked at with."""
    return str(request.param)


@pytest.fixture(params=["light", "dark"])
def light(request: pytest.FixtureRequest) -> str:
    """What the reader's system prefers."""
    return str(request.param)


@pytest.fixture
def shown(chromium: Browser, address: str, asked: list[str], size: str, light: str) -> Iterator[Page]:
    """The page, opened."""
    width, height = SIZES[size]
    context: BrowserContext = chromium.new_context(
        viewport={"width": width, "height": height},
        color_scheme=light,  # type: ignore[arg-type]
    )
    opened = context.new_page()
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(address)
    yield opened
    context.close()


def test_it_is_readable_for_everybody(shown: Page, asked: list[str], address: str, size: str, light: str) -> None:
    shown.screenshot(path=str(PICTURES / f"report-{size}-{light}.png"), full_page=True)
    wide, screen = shown.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= screen
    found = [
        f"{one['id']}: {one['help']}: {[node['html'][:150] for node in one['nodes']]}"
        for one in Axe().run(shown).response["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
    assert not found, json.dumps(found, indent=1)
    assert asked == [address]  # nothing of anybody else's, and no script


def test_the_ten_questions_are_answered_on_the_first_screen_of_a_desk(shown: Page, size: str) -> None:
    if size == "desk":
        last = shown.locator(".answers > div").last.bounding_box()
        assert last is not None
        assert last["y"] + last["height"] <= SIZES[size][1]


def test_what_is_not_in_order_is_open_and_the_rest_one_click_away(shown: Page) -> None:
    opened = shown.locator("details.promise[open]")
    assert {one.get_attribute("id") for one in opened.all()} == {"NET-1", "ACC-2"}
    assert shown.locator("#NET-1 .mend code").first.is_visible()
    kept = shown.locator("#TLS-1")
    assert not kept.locator("table").first.is_visible()
    kept.locator("summary").click()
    links = kept.locator("td.evidence a")
    assert links.first.is_visible()
    assert {str(one.get_attribute("href")).split("/")[0] for one in links.all()} == {"raw"}


def test_every_status_is_told_without_colour(shown: Page) -> None:
    said = {one.inner_text() for one in shown.locator("summary .badge").all()}
    assert said == set(STATUSES)
    signs = "one => getComputedStyle(one, '::before').content"
    assert len({one.evaluate(signs) for one in shown.locator("summary .badge").all()}) == len(STATUSES)


def test_it_prints_whole(chromium: Browser, address: str, tmp_path: Path) -> None:
    """On paper nothing can be opened, so everything is: each promise, each check, each name of evidence."""
    printed = chromium.new_page()
    printed.goto(address)
    path = tmp_path / "report.pdf"
    printed.pdf(path=str(path), format="A4", print_background=True, prefer_css_page_size=True)
    printed.close()
    text = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, text=True, check=True).stdout
    first, said = (re.sub(r"\s+", " ", part) for part in (text.split("\f")[0], text))
    assert not [question for question in QUESTIONS if question not in first]
    assert not [name for name in load() if f"{name} " not in said]
    assert said.count("rules-ipv6.txt") == 2 * len(load())
    for number in (1, 2):  # to be looked at
        picture = PICTURES / f"print-{number}"
        words = ["pdftoppm", "-png", "-singlefile", "-r", "60", "-f", str(number), str(path), str(picture)]
        subprocess.run(words, check=True)
