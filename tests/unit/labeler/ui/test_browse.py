"""The Browse page: filters in the address, a selection over several pages, and what became of each image."""

import pytest
from streamlit.testing.v1 import AppTest

from services.labeler.ui.sessions.browse_address import export_address, read_address, write_address
from services.labeler.ui.sessions.browse_session import summary
from services.labeler.ui.sessions.tab import Clients
from shared.clients.browse import ImageFilter
from shared.clients.bulk import BulkOutcome

from .fake_apis import FakeApis, session
from .fake_images import Image
from .page_driver import buttons, press, shown_text

AGREE, SET, AWAY = "Agree with the model", "Set this label", "Take the label away"


def browse_script() -> None:
    """Show the page alone."""
    from services.labeler.ui.pages import app, browse
    from services.labeler.ui.sessions import tab

    if (current := tab.session()) is not None:
        tab.clients().labeler.resume(current)
        app.guarded(browse.page)


@pytest.fixture
def browse_page(clients: Clients) -> AppTest:
    """The page with anna logged in."""
    page = AppTest.from_function(browse_script, default_timeout=20)
    page.session_state["clients"] = clients
    page.session_state["session"] = session()
    return page


def pick(page: AppTest, *images: Image) -> None:
    """Press the boxes of these images."""
    for image in images:
        [box] = [each for each in page.checkbox if str(each.key).endswith(str(image.image_id))]
        box.set_value(not box.value)
        page.run()


def cards(page: AppTest) -> str:
    """Return the HTML of the page."""
    return "\n".join(str(each.proto.body) for each in page.get("html"))


@pytest.mark.slow
def test_a_card_leads_to_the_group_of_its_image(browse_page: AppTest, apis: FakeApis) -> None:
    apis.add(label="grass")
    apis.listing.copies = {"group_id": "a&b", "in_group": 2, "copies": ["same_bytes", "near"]}
    browse_page.query_params["copies"] = ["near"]
    browse_page.query_params["group"] = "a&b"
    browse_page.run()
    assert '<a href="browse?group=a%26b" target="_self">2 more in its group</a>' in cards(browse_page)
    assert "The same file came again." in cards(browse_page)
    assert "One group of near-duplicates" in shown_text(browse_page)
    browse_page.multiselect(key="filter-copies").set_value([]).run()
    assert browse_page.query_params["group"] == "a&b"
    assert (apis.listing.asked[-1].get("copies"), apis.listing.asked[-1]["group"]) == (None, ["a&b"])


@pytest.mark.slow
def test_a_filter_is_in_the_address_and_an_address_is_a_filter(browse_page: AppTest, apis: FakeApis) -> None:
    apis.add(label="grass")
    browse_page.query_params["label"] = ["grass"]
    browse_page.query_params["disagrees"] = "true"
    browse_page.run()
    assert browse_page.multiselect(key="filter-label").value == ["grass"]
    assert browse_page.selectbox(key="filter-disagrees").value == "true"
    assert (apis.listing.asked[-1]["label"], apis.listing.asked[-1]["disagrees"]) == (["grass"], ["true"])

    browse_page.text_input(key="filter-name").set_value("IMG")
    browse_page.run()
    assert browse_page.query_params == {"name": "IMG", "label": "grass", "disagrees": "true"}
    assert apis.listing.asked[-1]["name"] == ["IMG"]


@pytest.mark.slow
def test_a_selection_survives_paging_and_is_corrected_at_once(browse_page: AppTest, apis: FakeApis) -> None:
    apis.listing.limit = 2
    first, _, third = (apis.add(label="dandelion") for _ in range(3))
    pick(browse_page.run(), first)
    press(browse_page, "Next page")
    pick(browse_page, third)
    assert "2 selected" in shown_text(browse_page)
    assert "1 of them on other pages" in shown_text(browse_page)

    press(browse_page, AGREE)
    [sent] = apis.listing.sent
    assert [item["label"] for item in sent["items"]] == ["grass", "grass"]
    assert (first.label, third.label) == ("grass", "grass")
    assert "2 images are saved." in shown_text(browse_page)
    assert AGREE not in buttons(browse_page)


@pytest.mark.slow
def test_what_another_person_changed_first_is_named_on_its_card(browse_page: AppTest, apis: FakeApis) -> None:
    ours, theirs = apis.add(label="grass"), apis.add(label="grass")
    apis.listing.refusing = {theirs.image_id}
    browse_page.run()
    press(browse_page, "Select this page")
    press(browse_page, SET)

    assert "1 image is saved, 1 was changed by another person first" in shown_text(browse_page)
    assert "berta was first" in cards(browse_page)
    assert "1 selected" in shown_text(browse_page)
    assert (ours.label, theirs.label) == ("dandelion", "grass")


@pytest.mark.slow
def test_labels_that_could_not_be_sent_are_sent_again_with_their_key(browse_page: AppTest, apis: FakeApis) -> None:
    image = apis.add(label="grass")
    pick(browse_page.run(), image)
    apis.log_down = True
    press(browse_page, AWAY)
    assert "Nothing is lost" in shown_text(browse_page)
    apis.log_down = False
    press(browse_page, "Send again")

    first, second = apis.listing.sent
    assert first == second
    assert first["items"][0]["no_label"] == "none_of_these"
    assert image.label is None


@pytest.mark.slow
def test_empty_lists_say_what_to_do_next(browse_page: AppTest, apis: FakeApis) -> None:
    assert "Open **Add**" in shown_text(browse_page.run())
    apis.add(label="grass")
    browse_page.query_params["label"] = ["dandelion"]
    browse_page.query_params["trust"] = ["nonsense"]
    browse_page.query_params["cursor"] = "nonsense"
    browse_page.run()
    assert "Take one away, or clear them all." in shown_text(browse_page)
    assert "is left out: trust" in shown_text(browse_page)
    press(browse_page, "Clear all filters")
    assert "**1 to 1** of 1 images" in shown_text(browse_page)


@pytest.mark.slow
def test_an_uploader_finds_and_exports_but_selects_nothing(browse_page: AppTest, apis: FakeApis) -> None:
    browse_page.session_state["session"] = session(role="uploader")
    apis.add(label="grass")
    browse_page.run()

    assert not browse_page.checkbox
    assert "Select this page" not in buttons(browse_page)


def test_names_are_text_and_pictures_link_to_their_page(browse_page: AppTest, apis: FakeApis) -> None:
    image = apis.add(label="grass")
    browse_page.run()
    assert f'href="/image?id={image.image_id}"' in cards(browse_page)
    assert "<b>" not in cards(browse_page)
    assert "&lt;b&gt;" in cards(browse_page)


def test_an_address_is_read_as_it_was_written() -> None:
    asked = ImageFilter.model_validate(
        {
            "label": ["grass", "a&b=c"],
            "by": ["anna"],
            "since": "2026-05-04",
            "until": "2026-05-06",
            "min_confidence": 0.5,
            "disagrees": False,
            "name": "IMG 1.jpg",
            "flagged": ["unusable"],
        }
    )
    address = write_address(asked, "doubtful", "cursor")
    given = {name: value if isinstance(value, list) else [value] for name, value in address.items()}
    assert read_address(given) == (asked, "doubtful", [])
    assert address["since"] == "2026-05-04"
    assert export_address("/export", asked, "zip").startswith("/export?label=grass&label=a%26b%3Dc&by=anna&")


def test_what_cannot_be_read_is_left_out_and_named() -> None:
    given = {"label": ["grass"], "min_confidence": ["much"], "sort": ["best"], "flagged": ["torn"], "other": ["x"]}
    assert read_address(given) == (ImageFilter(label=["grass"]), "newest", ["flagged", "min_confidence"])


def test_a_summary_names_each_kind_of_outcome() -> None:
    outcomes = [BulkOutcome(image_id=Image().image_id, outcome=each) for each in ("superseded", "applied", "applied")]
    text = summary(outcomes)
    assert text.startswith("2 images are saved, 1 was changed by another person first. ")
