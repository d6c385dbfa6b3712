"""A page whose timer never rests, to be run by `streamlit run`: each press counts one more."""

import streamlit as st

from services.labeler.ui.script_runs import keep_what_runs_draw

keep_what_runs_draw()


def _count() -> None:
    st.session_state.pressed += 1


@st.fragment(run_every=0.02)
def _tick() -> None:
    st.caption("A timer asks for this fifty times a second.")


st.session_state.setdefault("pressed", 0)
st.button("Press", on_click=_count)
st.text(f"pressed {st.session_state.pressed}")
_tick()
