"""Images as a grid of cards, each with a box that selects it and a link to its own page."""

import html
from collections.abc import Sequence

import streamlit as st

from services.labeler.ui.components.filters import FLAG_WORDS
from services.labeler.ui.components.image_view import load_pictures
from services.labeler.ui.components.links import browse_address
from services.labeler.ui.components.picking import watch_picking
from services.labeler.ui.sessions.browse_session import BrowseSession
from shared.clients.browse import COPIES_COUNTED, ListedImage

CARD_PIXELS = 164
PICTURE_PIXELS = 240
STYLE = """<style>
.pappus-card img { width: 100%; height: 9rem; object-fit: contain; background: rgba(128, 128, 128, .12);
  border-radius: .5rem; display: block; }
.pappus-card a { color: inherit; text-decoration: none; display: block; }
.pappus-card a:focus-visible { outline: 3px solid #1c6e3d; outline-offset: 2px; border-radius: .5rem; }
.pappus-card .none { height: 9rem; display: flex; align-items: center; justify-content: center; text-align: center;
  background: rgba(128, 128, 128, .12); border-radius: .5rem; font-size: .875rem; }
.pappus-card p { margin: .3rem 0 0; font-size: .875rem; line-height: 1.25; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; }
.pappus-card .copies a { text-decoration: underline; display: flex; align-items: center; min-height: 2.75rem; }
.pappus-card .answer.wrong { font-weight: 600; }
.pappus-card .outcome { white-space: normal; border-left: 3px solid #b3261e; padding-left: .4rem; }
[class*="st-key-card-"] label { min-height: 2.75rem; align-items: center; }
</style>"""


def show_cards(images: Sequence[ListedImage], shown: BrowseSession, selectable: bool) -> None:
    """Draw a card for each image, with a box that selects it if they are `selectable`."""
    st.html(STYLE)
    pictures = load_pictures([image.image_id for image in images], PICTURE_PIXELS)
    if selectable:
        watch_picking(images, shown.select)
    with st.container(horizontal=True, gap="small", key="cards"):
        for image in images:
            with st.container(width=CARD_PIXELS, gap=None, key=f"card-{image.image_id}"):
                st.html(card(image, pictures[image.image_id], _outcome(image, shown)))
                if not selectable:
                    continue
                key = f"pick-{image.image_id}"
                st.session_state[key] = image.image_id in shown.selected
                st.checkbox(
                    "select",
                    key=key,
                    on_change=shown.toggle,
                    args=(image,),
                )


def card(image: ListedImage, picture: str | None, outcome: str) -> str:
    """Return the picture, its link and what is known of it, as HTML. Names and labels are text in it."""
    name = html.escape(image.name or "without a name")
    label = "no label" if image.label is None else image.label
    if image.no_label is not None:
        label = FLAG_WORDS[image.no_label]
    drawn = (
        f'<img src="{html.escape(picture)}" alt="{name}, {html.escape(label)}">'
        if picture
        else '<span class="none">The picture cannot be shown right now.</span>'
    )
    answer = ""
    if (prediction := image.prediction) is not None:
        share = prediction.probabilities.get(prediction.label, 0.0)
        wrong = image.label is not None and image.label != prediction.label
        said = f"{'✗' if wrong else '✓' if image.label else ''} model: {prediction.label} {share:.0%}".strip()
        answer = f'<p class="answer{" wrong" if wrong else ""}">{html.escape(said)}</p>'
    by = f" · {image.decided_by}" if image.decided_by and image.trust == "reviewed" else ""
    told = f'<p class="outcome" role="status">{html.escape(outcome)}</p>' if outcome else ""
    return (
        f'<div class="pappus-card"><a href="/image?id={image.image_id}" target="_blank" title="{name}">{drawn}'
        f"<p>{name}</p></a><p><strong>{html.escape(label)}</strong>{html.escape(by)}</p>{answer}{_copies(image)}{told}</div>"
    )


def _copies(image: ListedImage) -> str:
    """Return how many more there are in the group of the image, with a link to them, and whether its file came again;
    empty for most."""
    said = []
    if image.in_group:
        more = f"more than {COPIES_COUNTED:,}" if image.in_group >= COPIES_COUNTED else f"{image.in_group:,}"
        address = html.escape(browse_address(group=image.group_id), quote=True)
        said.append(f'<p class="copies"><a href="{address}" target="_self">{more} more in its group</a></p>')
    if "same_bytes" in image.copies:
        said.append("<p>The same file came again.</p>")
    return "".join(said)


def _outcome(image: ListedImage, shown: BrowseSession) -> str:
    found = shown.outcomes.get(image.image_id)
    if found is None or found.outcome == "applied":
        return ""
    return "Your vote is kept." if found.outcome == "voted" else found.detail or "It is being saved."
