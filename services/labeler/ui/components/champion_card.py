"""The model in service: its name, how good it is, whether promotions are frozen, and what an operator may do."""

import streamlit as st

from services.labeler.ui.components.command_dialog import command_button
from services.labeler.ui.components.links import link_to_model
from services.labeler.ui.components.texts import small
from services.labeler.ui.sessions.champion import FEWEST_ANSWERS
from services.labeler.ui.sessions.commanding import Commanding
from services.labeler.ui.words import models as words
from shared.clients.answers import ChampionView


def champion_card(champion: ChampionView, commanding: Commanding) -> None:
    """Draw the card."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(f"{words.name(champion)} is in service", anchor=False, width="content")
            if champion.frozen:
                st.badge("Promotions are frozen", icon=":material/ac_unit:", color="red")
        since = words.moment(champion.promoted_at)
        small(f"{words.small_version(champion)} · since {since} · {words.lane(champion)}")
        live = champion.live_since_full
        if live is not None and live.answers < FEWEST_ANSWERS:
            live = None
        agreed = "–" if live is None else words.percent(live.share)
        with st.container(horizontal=True, gap="medium"):
            for title, value, basis in (
                ("Accuracy", words.percent(champion.accuracy), words.accuracy_basis(champion)),
                ("Live accuracy", agreed, words.live_basis(live)),
                ("Corrections", f"{champion.corrections:,}", "that it holds"),
            ):
                st.metric(title, value, basis, delta_color="off", delta_arrow="off", width="content")
        with st.container(horizontal=True, vertical_alignment="center"):
            link_to_model(champion.version, f"What {words.name(champion)} changed", champion.parent)
            frozen = champion.frozen
            command_button(
                commanding, "Lift the freeze …" if frozen else "Freeze …", "unfreeze" if frozen else "freeze"
            )
            command_button(commanding, "Train in full …", None)
