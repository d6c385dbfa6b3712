"""A stranger with a browser at /docs: authorises, tries a request out, and sees the answer."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect, sync_playwright

from .ui.stage import ARGUMENTS, CHROMIUM

WAIT_MS = 120_000
LOCAL = {"127.0.0.1", "localhost"}


@dataclass
class DocsPage:
    """The page of one API. `complaints`: what the browser wrote to its console, and each request to another machine."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def open(self, address: str) -> str:
        """Open /docs of an API; return its content security policy."""
        answer = self.page.goto(f"{address}/docs")
        assert answer is not None
        self.page.locator(".opblock").first.wait_for()
        return str(answer.headers["content-security-policy"])

    def authorise(self, **fields: str) -> None:
        """Press Authorize, fill in fields by their names, press Authorize there, and close what says that it worked."""
        self.page.locator(".btn.authorize").click()
        window = self.page.locator(".modal-ux-content")
        for name, value in fields.items():
            window.get_by_label(name).fill(value)
        assert window.locator("input:visible").count() == len(fields), "the page asks for more than was filled in"
        window.get_by_text("Authorize", exact=True).click()
        expect(window.get_by_text("Logout")).to_be_visible()
        window.get_by_text("Close").click()

    def execute(self, operation: str, file: Path | None = None) -> "Answer":
        """Try an operation out as it is shown, with a file if it takes one; return what the page shows."""
        block = self.page.locator(f".opblock[id$='-{operation}']")
        block.locator(".opblock-summary-control").click()
        block.get_by_role("button", name="Try it out").click()
        if file is not None:
            block.locator("input[type=file]").set_input_files(file)
        block.get_by_role("button", name="Execute").click()
        shown = block.locator(".live-responses-table tbody tr.response")
        shown.wait_for()
        status = int(shown.locator(".response-col_status").inner_text().split()[0])
        return Answer(status, shown.inner_text())


@dataclass(frozen=True)
class Answer:
    """What the page shows of an answer: its status, and all the text with the body and the headers."""

    status: int
    text: str

    @property
    def trace_id(self) -> str | None:
        """The trace that the headers name."""
        found = re.search(r"x-trace-id: ([0-9a-f]{32})", self.text)
        return found[1] if found else None


@contextmanager
def docs_page(screenshot: Path) -> Iterator[DocsPage]:
    """Open a browser that reaches this machine only. It takes a screenshot at the end; nothing may have been written to
    its console, and no other machine asked."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme="light")
        page.set_default_timeout(WAIT_MS)
        opened = DocsPage(page)

        def stay_here(route: Any) -> None:
            if urlsplit(route.request.url).hostname in LOCAL:
                route.continue_()
            else:
                opened.complaints.append(f"asked {route.request.url}")
                route.abort()

        page.route("**/*", stay_here)
        page.on("console", lambda said: opened.complaints.extend([said.text] * (said.type in ("error", "warning"))))
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        try:
            yield opened
        finally:
            page.screenshot(path=screenshot, full_page=True)
            browser.close()
        assert not opened.complaints, "\n".join(opened.complaints)
