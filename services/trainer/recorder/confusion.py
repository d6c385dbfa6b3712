"""Draws a confusion matrix."""

from collections.abc import Sequence
from io import BytesIO


def confusion_png(labels: Sequence[str], confusion: Sequence[Sequence[int]]) -> bytes:
    """Draw the matrix as a PNG; rows are true labels, columns are answers, cells are numbers of images.

    Drawn without pyplot, so no backend or other global state of matplotlib is touched.
    """
    from matplotlib.figure import Figure

    side = 2.0 + 0.8 * len(labels)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(confusion, cmap="Greens")
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("answer")
    axes.set_ylabel("label")
    most = max((cell for row in confusion for cell in row), default=0)
    for true, row in enumerate(confusion):
        for answer, images in enumerate(row):
            colour = "white" if images > most / 2 else "black"
            axes.text(answer, true, str(images), ha="center", va="center", color=colour)
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=100)
    return picture.getvalue()
