"""The Browse page: all stored images, filtered, in pages; many are corrected at once, and exported."""

from functools import partial

import streamlit as st

from services.labeler.ui.api_clients import Declined
from services.labeler.ui.components.filters import FLAG_WORDS, show_filters
from services.labeler.ui.components.image_cards import show_cards
from services.labeler.ui.components.links import link_to_review
from services.labeler.ui.components.presses import ask
from services.labeler.ui.components.saved_filters import show_saved_filters
from services.labeler.ui.messages import plain
from services.labeler.ui.metrics import PAGE_VIEWS
from services.labeler.ui.sessions.browse_address import export_address, read_address, write_address
from services.labeler.ui.sessions.browse_session import BrowseSession
from services.labeler.ui.sessions.tab import clients, labels, may
from shared.clients.browse import ImageFilter, ImagePage, Sort, list_images
from shared.contract.events import NoLabel

ON_A_PAGE = 60
EXPORTS = {
    "csv": "Table (CSV)",
    "coco": "COCO (JSON)",
    "zip": "Pictures, a folder for each label (ZIP)",
    "imagefolder": "Hugging Face imagefolder (ZIP)",
}
REASONS: tuple[NoLabel, ...] = ("none_of_these", "unusable", "unsure")
EXPORT_PATH = "/export"
STYLE = """<style>
.st-key-browse-filters > div { flex: 1 1 9.5rem !important; min-width: 9.5rem; }
[data-testid="stLayoutWrapper"]:has(> .st-key-browse-actions) { position: sticky; bottom: 0; z-index: 10; }
.st-key-browse-actions { background: BACKGROUND; padding: .75rem 0; border-top: 1px solid rgba(128, 128, 128, .4); }
.stButton button, .stPopover button, .stLinkButton a { min-height: 2.75rem; }
</style>"""
SELECTING = "A box selects one image, Shift and a click all up to it, a rectangle drawn with the mouse all it touches."
ONE_GROUP = "One group of near-duplicates: copies of one picture, all on one side of the split."
NOTHING_YET = "There is no image yet. Open **Add** to add the first ones."
NOTHING_FOUND = "No image fulfils all of these filters. Take one away, or clear them all."


def page() -> None:
    """Show the filters, the images and what can be done with the selected ones."""
    PAGE_VIEWS.labels("browse").inc()
    shown: BrowseSession = st.session_state.setdefault("browse_session", BrowseSession())
    shown.click_guard.begin()
    st.title("Browse")
    st.html(STYLE.replace("BACKGROUND", "#0e1117" if st.context.theme.type == "dark" else "#ffffff"))
    given = {name: st.query_params.get_all(name) for name in st.query_params}
    asked, sort, unread = read_address(given)
    if unread:
        st.warning(f"The address says something that cannot be read, and is left out: {', '.join(unread)}.")
    found = _load(asked, sort, next(iter(given.get("cursor", ())), None))
    show_filters(asked, sort, labels(), found.facets or {})
    if asked.group is not None:
        st.info(ONE_GROUP)
    _show_notices(shown)
    filtered = asked != ImageFilter()
    if not found.items:
        st.info(NOTHING_FOUND if filtered else NOTHING_YET)
        if filtered:
            st.button("Clear all filters", on_click=st.query_params.clear)
    else:
        shown.refresh(found.items)
        _show_count(shown, found, asked, sort, filtered)
        show_cards(found.items, shown, selectable=may("labeler"))
        _show_pager(found, asked, sort)
    _show_actions(shown, found)
    ask(shown.click_guard)


def _load(asked: ImageFilter, sort: Sort, cursor: str | None) -> ImagePage:
    """Return the page in the address; the first one if its cursor is not one of this list."""
    labeler = clients().labeler
    if cursor is not None:
        try:
            return labeler.send(list_images(asked, sort, cursor=cursor, limit=ON_A_PAGE, facets=True))
        except Declined:
            st.info("The address does not say a page of this list; this is its beginning.")
    return labeler.send(list_images(asked, sort, limit=ON_A_PAGE, facets=True))


def _show_notices(shown: BrowseSession) -> None:
    if shown.notice:
        st.success(plain(shown.notice))
    if shown.trouble and shown.unsent is not None:
        st.error(plain(shown.trouble))
        shown.click_guard.button("Send again", shown.send_again, kind="primary")


def _show_count(shown: BrowseSession, found: ImagePage, asked: ImageFilter, sort: Sort, filtered: bool) -> None:
    total = f"more than {found.total:,}" if found.more else f"{found.total:,}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{found.start + 1:,} to {found.start + len(found.items):,}** of {total} images")
        if filtered:
            st.button("Clear all filters", on_click=st.query_params.clear, type="tertiary")
        if may("labeler"):
            link_to_review({"queue": "filter"} | write_address(asked, sort), "Review these")
            show_saved_filters(asked, sort)
            st.button("Select this page", on_click=shown.select, args=(found.items,), help=SELECTING)
        with st.popover("Export", icon=":material/download:"):
            st.markdown("All images that these filters show, on all pages.")
            for export_format, words in EXPORTS.items():
                st.link_button(words, export_address(EXPORT_PATH, asked, export_format), width="stretch")


def _show_actions(shown: BrowseSession, found: ImagePage) -> None:
    """Draw what can be done with the selected images, at the lower edge of the window: the images stay where they
    are."""
    selected = len(shown.selected)
    if not selected:
        return
    elsewhere = selected - sum(image.image_id in shown.selected for image in found.items)
    where = f", {elsewhere:,} of them on other pages" if elsewhere else ""
    guard = shown.click_guard
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="browse-actions"):
        st.markdown(f"**{selected:,} selected**{where}", width="content")
        st.button("Select none", on_click=shown.clear)
        guard.button("Agree with the model", shown.agree, kind="primary")
        label = st.selectbox(
            "Label", labels(), width=150, key="bulk-label", format_func=plain, label_visibility="collapsed"
        )
        guard.button("Set this label", partial(shown.relabel, label))
        why = st.selectbox(
            "Why there is no label",
            REASONS,
            width=150,
            key="bulk-flag",
            format_func=lambda value: FLAG_WORDS[value],
            label_visibility="collapsed",
        )
        guard.button("Take the label away", partial(shown.flag, why))
        guard.button("Undo the last decision", partial(shown.flag, "withdrawn"))


def _show_pager(found: ImagePage, asked: ImageFilter, sort: Sort) -> None:
    def turn(cursor: str) -> None:
        st.query_params.from_dict(write_address(asked, sort, cursor))

    with st.container(horizontal=True, horizontal_alignment="center"):
        st.button(
            "Previous page",
            disabled=found.previous is None,
            on_click=turn,
            args=(found.previous or "",),
            shortcut="left",
        )
        st.button("Next page", disabled=found.next is None, on_click=turn, args=(found.next or "",), shortcut="right")
