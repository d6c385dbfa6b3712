"""What the verdict on a model rests on: the rules, each class, and what was answered as what."""

import html
from collections.abc import Sequence

import streamlit as st

from services.labeler.ui.components.links import browse_address
from services.labeler.ui.messages import plain
from services.labeler.ui.words import models as words
from shared.clients.answers import ModelView
from shared.contract.events import VerdictEvidence

WIDEST = 12
"""Up to so many classes the whole matrix is shown; of more, the most frequent mistakes, and the matrix on demand."""
MOST_MISTAKES = 15
STYLE = """<style>
.pappus-matrix { overflow: auto; max-height: 32rem; }
.pappus-matrix table { border-collapse: collapse; font-size: .9rem; }
.pappus-matrix th, .pappus-matrix td { padding: 0; border: 1px solid rgba(128, 128, 128, .35); text-align: right; }
.pappus-matrix th { padding: .4rem .6rem; font-weight: 600; white-space: nowrap; text-align: left; }
.pappus-matrix td > * { display: block; min-width: 2.75rem; line-height: 2.75rem; padding: 0 .6rem; }
.pappus-matrix a { color: inherit; text-decoration: underline; }
.pappus-matrix .right { background: rgba(61, 122, 53, .18); }
.pappus-matrix .wrong { background: rgba(163, 32, 24, .18); }
</style>"""


def show_rules(model: ModelView) -> None:
    """Draw the rules with their sentences and figures."""
    for outcome in model.verdict:
        st.markdown(words.rule(outcome))
        if outcome.figures:
            st.caption(words.figures(outcome))


def show_classes(evidence: VerdictEvidence, other: ModelView | None) -> None:
    """Draw each class, with the figures of the `other` model that it is compared with, if there is one, and the matrix
    of what was answered as what."""
    _show_recalls(evidence, other)
    names = [one.label for one in evidence.classes]
    if not evidence.confusion:
        return
    if len(names) > WIDEST:
        _show_mistakes(names, evidence)
        with st.expander("All answers, class by class"):
            st.html(STYLE + matrix(names, evidence.confusion))
        return
    st.markdown(
        "**What it answered.** Rows are labels, columns are answers."
        " A number opens the test images that are answered so now."
    )
    st.html(STYLE + matrix(names, evidence.confusion))


def matrix(names: Sequence[str], confusion: Sequence[Sequence[int]]) -> str:
    """Return the matrix as a table; each number that is not 0 is a link to its images."""
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row">{html.escape(names[truth])}</th>'
        + "".join(_cell(names[truth], names[answer], count) for answer, count in enumerate(counts))
        + "</tr>"
        for truth, counts in enumerate(confusion)
    )
    corner = '<td><span title="label, answer"></span></td>'
    return (
        f'<div class="pappus-matrix" tabindex="0" role="region" aria-label="What was answered as what"><table>'
        f"<thead><tr>{corner}{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cell(truth: str, answer: str, count: int) -> str:
    if not count:
        return "<td><span>0</span></td>"
    right = truth == answer
    address = html.escape(_address(truth, answer), quote=True)
    said = html.escape(f"{count} of {truth} answered as {answer}", quote=True)
    return f'<td class="{"right" if right else "wrong"}"><a href="{address}" aria-label="{said}">{count}</a></td>'


def _address(label: str, answer: str) -> str:
    """Return the address of the test images with this label that are answered so now: by the newest model that answered
    about them, since older answers are not kept."""
    return browse_address(label=label, predicted=answer, split="test")


def _show_recalls(evidence: VerdictEvidence, other: ModelView | None) -> None:
    former = {one.label: one for one in other.evidence.classes} if other is not None and other.evidence else {}
    rows = []
    for one in evidence.classes:
        row = {
            "Class": one.label,
            "Right": f"{one.right} of {one.images}",
            "Recall": f"{one.recall:.0%}",
            "95 % interval": f"{one.low:.0%} to {one.high:.0%}",
        }
        if other is not None and former:
            row[f"Recall of {words.name(other)}"] = f"{former[one.label].recall:.0%}" if one.label in former else "–"
        rows.append({name: plain(value) for name, value in row.items()})
    if len(rows) > WIDEST:
        st.dataframe(rows, hide_index=True, height=12 * 35)
    else:
        st.table(rows, hide_index=True)


def _show_mistakes(names: Sequence[str], evidence: VerdictEvidence) -> None:
    mistakes = sorted(
        (
            (-count, names[truth], names[answer])
            for truth, counts in enumerate(evidence.confusion)
            for answer, count in enumerate(counts)
            if count and truth != answer
        )
    )
    if not mistakes:
        st.markdown("Every test image was answered right.")
        return
    st.markdown("**Most frequent mistakes**")
    listed = "".join(
        f'<li><a href="{html.escape(_address(truth, answer), quote=True)}">{html.escape(truth)} answered'
        f" as {html.escape(answer)}: {-count}</a></li>"
        for count, truth, answer in mistakes[:MOST_MISTAKES]
    )
    st.html(f"<ul>{listed}</ul>")
