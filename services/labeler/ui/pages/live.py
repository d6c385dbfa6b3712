"""The Live page: what happens, image by image, whether all parts keep up, and what could not be handled."""

from collections.abc import Callable

import streamlit as st

from services.labeler.ui.api_clients import Declined, LoggedOut
from services.labeler.ui.components.links import link_to_image
from services.labeler.ui.components.texts import small
from services.labeler.ui.messages import plain
from services.labeler.ui.metrics import PAGE_VIEWS
from services.labeler.ui.sessions.tab import clients, may
from services.labeler.ui.words import live as words
from shared.clients.live import (
    DeadLettersOf,
    RedriveOutcome,
    get_parts,
    list_dead_letters,
    list_stories,
    rehearse_redrive,
)
from shared.clients.webhooks import list_webhooks, resume_webhook
from shared.runtime.errors import TransientError

SHOWN = 30
STORIES_EVERY_SECONDS, PARTS_EVERY_SECONDS, LETTERS_EVERY_SECONDS = 2.0, 5.0, 15.0
MOST_OUTCOMES = 20


def page() -> None:
    """Show what goes on, and keep it current while the person follows."""
    PAGE_VIEWS.labels("live").inc()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Live", anchor=False, width="content")
        follows = st.toggle("Follow", value=True, key="live-follows")
    if not follows:
        small(words.PAUSED)
    _kept_current(_show_parts, PARTS_EVERY_SECONDS, follows)
    if may("operator"):
        _kept_current(_show_webhooks, PARTS_EVERY_SECONDS, follows)
    _kept_current(_show_letters, LETTERS_EVERY_SECONDS, follows)
    st.subheader("What happened last", anchor=False)
    _kept_current(_show_stories, STORIES_EVERY_SECONDS, follows)


def _kept_current(show: Callable[[], None], seconds: float, follows: bool) -> None:
    """Draw a section, again and again while the person follows. One that cannot be asked for says so in its place."""

    def section() -> None:
        try:
            show()
        except LoggedOut:
            st.rerun()  # the whole page leads to the login
        except (TransientError, Declined) as error:
            st.warning(plain(str(error)))

    st.fragment(section, run_every=seconds if follows else None)()


def _show_parts() -> None:
    found = clients().labeler.send(get_parts())
    troubles = words.troubles(found)
    for line in troubles:
        st.warning(line)
    if found.why_unknown:
        st.warning(plain(found.why_unknown))
    elif not troubles:
        st.success(words.all_well(found))
    with st.expander("Every part"):
        st.markdown(words.every_part(found))


def _show_webhooks() -> None:
    """Draw the webhooks that fail, with a button for those that were stopped."""
    for webhook in clients().labeler.send(list_webhooks()):
        if not webhook.failures:
            continue
        st.warning(words.webhook(webhook))
        if webhook.stopped_at and st.button("Let it go on", key=f"resume-{webhook.webhook_id}"):
            clients().labeler.send(resume_webhook(webhook.webhook_id))
            st.rerun()


def _show_letters() -> None:
    found = clients().labeler.send(list_dead_letters())
    if not found:
        small(words.NO_LETTERS)
        return
    st.subheader("Dead letters", anchor=False)
    for row in found:
        with st.container(border=True, gap="small"):
            st.markdown(words.letters(row))
            st.markdown(words.reasons(row))
            if may("operator"):
                _rehearse(row)


def _rehearse(row: DeadLettersOf) -> None:
    """Draw the button that asks what a redrive would do, and its answer."""
    key = f"rehearsed-{row.topic}-{row.group}"
    if st.button("What would a redrive do?", key=f"rehearse-{row.topic}-{row.group}"):
        st.session_state[key] = clients().labeler.send(rehearse_redrive(row.topic, row.group))
    outcomes: list[RedriveOutcome] | None = st.session_state.get(key)
    if outcomes is None:
        return
    st.markdown(words.rehearsed([each.outcome for each in outcomes]))
    st.code(words.redrive_command(row), language="bash")
    st.markdown("\n".join(f"- {plain(each.place)}: {plain(each.outcome)}" for each in outcomes[:MOST_OUTCOMES]))


def _show_stories() -> None:
    found = clients().labeler.send(list_stories(SHOWN))
    if not found:
        st.info(words.NOTHING_YET)
    for told in found:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            link_to_image(told.image_id, words.title(told))
            small(words.story(told), width="stretch")
