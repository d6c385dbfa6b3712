"""Which test images are measured when there are very many."""

from uuid import UUID

from services.trainer.dataset.manifest import Sample
from services.trainer.dataset.records import LabelledImage
from services.trainer.gate.decisions.test_sample import choose_tests
from shared.contract.split import Side


def image(number: int, group: str, side: Side = "test") -> LabelledImage:
    return LabelledImage(Sample(UUID(int=number), f"{number:064x}", "grass", 0, side), f"images/{number}", group)


def test_few_test_images_are_all_measured_and_training_images_never() -> None:
    images = [image(1, "a"), image(2, "b", "train"), image(3, "c")]
    assert choose_tests(images, 2) == [images[0], images[2]]


def test_of_many_whole_groups_are_chosen_up_to_the_limit() -> None:
    images = [image(number, f"group {number // 3}") for number in range(90)]
    chosen = choose_tests(images, 50)
    assert len(chosen) == 48
    groups = {one.group_id for one in chosen}
    assert sum(one.group_id in groups for one in images) == len(chosen)


def test_the_choice_hardly_changes_when_images_are_added() -> None:
    before = choose_tests([image(number, f"group {number}") for number in range(1000)], 500)
    after = choose_tests([image(number, f"group {number}") for number in range(1050)], 500)
    assert len(before) == len(after) == 500
    assert len(set(before) & set(after)) > 450
