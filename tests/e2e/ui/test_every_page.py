"""Every page that a role has, at the width of a desk and of a phone, light and dark: it is there, nothing is cut off,
and axe-core finds nothing serious (WCAG 2.2 AA)."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import pytest
from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect

from services.labeler.ui.pages.menu import ENTRIES, entries_for
from services.labeler.ui.sessions import cookie
from shared.contract.roles import ROLES, Role
from tests.unit.labeler.ui.fake_apis import TOKEN, FakeApis, session
from tests.unit.labeler.ui.fake_models import FakeModels, some_models

from .stage import Stage, with_browser
from .surface import photograph

pytestmark = with_browser
WAIT_MS = 30_000
WIDTHS = {1400: 900, 390: 844}
RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
OF_COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
"""What a dark page can break beside a light one: the document is the same."""
SCHEMES: dict[Literal["light", "dark"], dict[str, Any]] = {"light": RULES, "dark": OF_COLOURS}
SERIOUS = ("serious", "critical")
NOT_OURS = {
    "meta-viewport-large",
    "nested-interactive",  # Streamlit puts its help icon into the label of a field
}
AT_REST = "[data-testid=stApp][data-test-script-state=notRunning]"
SCREENSHOTS = os.environ.get("PAPPUS_TEST_SCREENSHOTS", "")
"""A folder for a picture of each page; empty: none are kept."""


@pytest.fixture(params=ROLES)
def visitor(
    browser: Browser,
    stage: Stage,
    apis: FakeApis,
    request: pytest.FixtureRequest,
) -> Iterator[tuple[Page, Role]]:
    """A page of a person of each role, and the role."""
    role: Role = request.param
    apis.people.me, apis.models = "anna", FakeModels(some_models())
    for number in range(5):
        apis.add(label="dandelion", picture=photograph(number))
    apis.quarantine("train", "test")
    login = cookie.encode(session("anna", f"{TOKEN} {uuid4()}", role))
    with browser.new_context(viewport={"width": 1400, "height": 900}) as context:
        context.set_default_timeout(30_000)
        context.add_cookies([{"name": cookie.COOKIE, "value": login, "url": stage.address}])
        yield context.new_page(), role


def test_each_page_of_each_role(visitor: tuple[Page, Role], stage: Stage) -> None:
    page, role = visitor
    found: list[str] = []
    mine = entries_for(session("anna", role=role))
    for entry in mine:
        image = f"?id={next(iter(stage.apis.images))}" if entry.path == "image" else ""
        page.goto(f"{stage.address}/{entry.path}{image}")
        expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=WAIT_MS)
        expect(page.get_by_text("Page not found")).to_have_count(0)
        expect(page.locator(AT_REST)).to_have_count(1, timeout=WAIT_MS)
        page.evaluate(AXE_SCRIPT)
        for width, height in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            expect(page.locator(AT_REST)).to_have_count(1, timeout=WAIT_MS)
            expect(page.locator("[data-testid=stSkeleton]")).to_have_count(0, timeout=WAIT_MS)
            for scheme, rules in SCHEMES.items():
                page.emulate_media(color_scheme=scheme)
                where = f"{entry.path} as {role}, {width} wide, {scheme}"
                found += [f"{where}: {line}" for line in faults(page, rules)]
                if SCREENSHOTS:
                    page.screenshot(path=Path(SCREENSHOTS) / f"{entry.path}-{role}-{width}-{scheme}.png")
    assert not found, "\n".join(found)
    for entry in set(ENTRIES) - set(mine):
        page.goto(f"{stage.address}/{entry.path}")
        expect(page.get_by_role("heading", name=entry.title, level=1)).to_have_count(0)


def faults(page: Page, rules: dict[str, Any]) -> list[str]:
    """Return what axe-core, which the page has loaded, finds serious by these rules, and whether the page is wider than
    the window. Of what is right axe says nothing: describing it takes most of its time."""
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    violations: list[dict[str, Any]] = page.evaluate("options => axe.run(options).then(r => r.violations)", options)
    lines = [
        f"{fault['id']}: {node['target']} {node['html'][:160]} {[why['message'] for why in node['any']][:1]}"
        for fault in violations
        if fault["impact"] in SERIOUS and fault["id"] not in NOT_OURS
        for node in fault["nodes"]
    ]
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return [*lines, *([f"{wide} pixels are cut off at the right"] if wide > 0 else [])]
