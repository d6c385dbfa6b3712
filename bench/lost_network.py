"""Is anything lost, or done twice, when the network is away for half a minute in the middle of a review?

    python -m bench.lost_network [--seconds 30] [--turns 3]

The pages run as their own process, with the APIs of the tests behind them, and Chromium before them, over a cable that
is cut: requests on their way are broken off, and new ones refused. In each turn a person decides two images, presses a
key, loses the network with it, and goes on through the images that the page has loaded ahead, every fifth decision
undone and made otherwise. Once the network is back it is looked whether each image has the labels that were decided, in
their order, and none more. Prints for each turn how long the network was away, how much was decided meanwhile, what is
lost and what is there twice, and how long after its return all was sent. Needs Chromium (CHROMIUM, /usr/bin/chromium
without it).
"""

import argparse
import time
from uuid import uuid4

from playwright.sync_api import Browser, expect, sync_playwright

from services.labeler.ui.sessions import cookie
from tests.e2e.ui.cable import cable
from tests.e2e.ui.stage import ARGUMENTS, CHROMIUM, Stage, staged
from tests.e2e.ui.surface import WAIT_MS, review, set_labels
from tests.e2e.ui.test_network import LOST
from tests.unit.labeler.ui.fake_apis import TOKEN, FakeApis, session

IMAGES = 16
MEANWHILE = 12
LABELS = {"1": "dandelion", "2": "grass"}


def turn(browser: Browser, stage: Stage, seconds: float) -> None:
    """Work through one loss of the network, and print what came of it."""
    stage.apis = apis = FakeApis()
    with cable(stage.address) as line, browser.new_context(viewport={"width": 1400, "height": 900}) as context:
        context.set_default_timeout(WAIT_MS)
        login = cookie.encode(session(token=f"{TOKEN} {uuid4()}"))
        context.add_cookies([{"name": cookie.COOKIE, "value": login, "url": line.address}])
        page = context.new_page()
        page.goto(line.address)
        surface, images = review(page, apis, IMAGES)
        decided: list[list[str | None]] = [["dandelion"], ["grass"]]
        surface.press("1", "2")
        surface.last("live in fast-1", "live in fast-1")

        surface.press("1")
        line.cut()
        cut = time.monotonic()
        decided.append(["dandelion"])
        for _ in range(MEANWHILE):
            page.wait_for_timeout(seconds * 1000 / MEANWHILE)
            key = "12"[len(decided) % 2]
            surface.press(key)
            decided.append([LABELS[key]])
            if len(decided) % 5 == 0:
                surface.press("u", other := "12"[len(decided) % 2])
                decided[-1] += [None, LABELS[other]]
        expect(page.get_by_text(LOST)).to_be_visible(timeout=WAIT_MS)
        away = time.monotonic() - cut
        reached = sum(map(len, set_labels(images)))

        line.mend()
        mended = time.monotonic()
        expected = decided + [[] for _ in images[len(decided) :]]
        expect(page.get_by_text(LOST)).to_be_hidden(timeout=WAIT_MS)
        while set_labels(images) != expected and time.monotonic() - mended < WAIT_MS / 1000:
            page.wait_for_timeout(100)
        sent = time.monotonic() - mended
    found = set_labels(images)
    lost = sum(max(0, len(wanted) - len(there)) for wanted, there in zip(expected, found, strict=True))
    twice = sum(max(0, len(there) - len(wanted)) for wanted, there in zip(expected, found, strict=True))
    keys = f"{len(apis.published)} published with {len(set(apis.keys))} keys"
    print(
        f"away for {away:.1f} s; {sum(map(len, decided))} events decided, {reached} of them there when it came back;"
        f" lost {lost}, twice {twice}, {'all' if found == expected else 'NOT ALL'} as decided; {keys};"
        f" all sent {sent:.1f} s after the return",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    with staged() as stage, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for _ in range(arguments.turns):
            turn(browser, stage, arguments.seconds)
        browser.close()


if __name__ == "__main__":
    main()
