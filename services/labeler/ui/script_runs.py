"""Runs of the pages' script that keep what other runs have drawn.

A fragment with `run_every` asks for a run by a timer in the browser. If it does so in the moment in which another run
ends, Streamlit 1.67 starts a new script runner, and ignores every message of the former one that is still on its way to
the browser: what a press has drawn is not shown until the next press (`AppSession.request_rerun` tells of it). Here
such a run begins when the former runner has delivered everything.
"""

from typing import Any

from streamlit.runtime.app_session import AppSession, AppSessionState
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData

AGAIN_SECONDS = 0.005
_create = AppSession._create_scriptrunner


def keep_what_runs_draw() -> None:
    """Hold this for all sessions of this process; to be called before the first one, and again without effect."""
    AppSession._create_scriptrunner = _create_once_delivered  # type: ignore[method-assign, assignment]


def _create_once_delivered(session: AppSession, data: RerunData) -> None:
    """Start a script runner for `data`. While another one is ending, a timer's run is left out, as the timer asks
    again, and a person's run waits until the other one has ended."""
    ending = session._scriptrunner
    if ending is None:
        _create(session, data)
    elif not data.is_auto_rerun:
        session._event_loop.call_later(AGAIN_SECONDS, _ask_again, session, data)


def _ask_again(session: AppSession, data: RerunData) -> None:
    runner: Any = session._scriptrunner
    if session._state is AppSessionState.SHUTDOWN_REQUESTED or (runner is not None and runner.request_rerun(data)):
        return
    _create_once_delivered(session, data)
