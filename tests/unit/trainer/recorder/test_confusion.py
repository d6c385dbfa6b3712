"""A confusion matrix as a picture."""

from io import BytesIO

import pytest
from PIL import Image

from services.trainer.recorder.confusion import confusion_png

pytestmark = pytest.mark.slow  # importing matplotlib takes seconds


@pytest.mark.parametrize("confusion", [((9, 1), (0, 10)), ((0, 0), (0, 0))])
def test_it_is_a_png_of_a_sensible_size(confusion: tuple[tuple[int, ...], ...]) -> None:
    picture = Image.open(BytesIO(confusion_png(("dandelion", "grass"), confusion)))
    assert picture.format == "PNG"
    assert min(picture.size) > 200


def test_the_same_matrix_gives_the_same_bytes() -> None:
    matrix = ((9, 1), (0, 10))
    assert confusion_png(("a", "b"), matrix) == confusion_png(("a", "b"), matrix)
