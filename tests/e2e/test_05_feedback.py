"""A program keeps the id of an answer, and a person corrects it later: the model learns the picture."""

from uuid import UUID

from pappus.demo.drawing import draw_tiles
from shared.clients.api import AsyncApi
from shared.clients.duplicates import check_duplicate
from shared.clients.errors import ApiProblem
from shared.clients.feedback import correct_answer
from shared.testing import eventually

from .demo_run import LIVE_SECONDS, Told, brought, other

PICTURE = draw_tiles(72)


async def is_needed(person: AsyncApi, prediction_id: UUID) -> bool:
    """Return whether the answer is known, and its picture is not stored."""
    try:
        await person.send(correct_answer(prediction_id))
    except ApiProblem as problem:
        return problem.code == "image_needed"
    return False


async def test_an_answer_is_corrected_by_its_id(told: Told) -> None:
    given = await told.answer(PICTURE)
    async with told.person() as person:
        await eventually(lambda: is_needed(person, given.prediction_id), LIVE_SECONDS)
        assert not (await person.send(check_duplicate("photo.png", PICTURE))).duplicate
        wrong = correct_answer(given.prediction_id, file=("photo.png", PICTURE))
        done, again = await person.send(wrong), await person.send(wrong)
        assert (done.state, done.label) == ("applied", other(given.label)), done
        assert again == done
        image = await brought(person, PICTURE)
        found = await person.send(check_duplicate("photo.png", PICTURE))
    assert image.image_id == done.image_id == found.image_id
    await told.until_answered(PICTURE, other(given.label))
