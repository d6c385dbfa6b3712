"""What each role may ask of each route: every route stands in the table, and every role is tried."""

import pytest

from services.labeler.settings import LabelerSettings
from shared.contract.roles import ROLES, Role, may_act_as
from tests.examples import operations, send

from .conftest import OF_PROVIDER, Labeler, token

NEEDS: dict[str, Role] = {
    **dict.fromkeys(
        (
            "upload_image",
            "check_duplicate",
            "find_images",
            "export_images",
            "get_image",
            "get_similar_images",
            "get_history",
            "get_image_content",
            "get_rendition",
            "get_labels",
            "get_classes",
            "get_conflicts",
            "get_quarantine",
            "get_decisions",
            "list_models",
            "get_champion",
            "list_drifts",
            "get_first_model",
            "get_model",
            "get_image_story",
            "get_model_story",
            "list_generations",
            "list_promotions",
            "get_learning_curve",
            "list_versions_on",
            "compare_models",
            "get_data_difference",
            "get_me",
            "change_own_password",
        ),
        "uploader",
    ),
    **dict.fromkeys(
        (
            "set_label",
            "set_labels",
            "correct_prediction",
            "get_review_queue",
            "lease_review_queue",
            "count_review_queues",
            "skip_image",
            "answer_double_check",
            "list_filters",
            "save_filter",
            "forget_filter",
        ),
        "labeler",
    ),
    **dict.fromkeys(("list_events", "list_stories", "get_parts", "list_dead_letters"), "labeler"),
    **dict.fromkeys(
        (
            "rehearse_redrive",
            "list_webhooks",
            "add_webhook",
            "resume_webhook",
            "remove_webhook",
            "withdraw_image",
            "take_out_decision",
            "rollback",
            "approve",
            "override",
            "freeze",
            "unfreeze",
            "train",
            "get_people",
            "add_class",
            "rename_class",
        ),
        "operator",
    ),
    **dict.fromkeys(
        ("add_person", "change_role", "reset_password", "disable_person", "enable_person", "join_person"), "admin"
    ),
}
"""The least role of each route that needs a login."""


@pytest.fixture
def settings(settings: LabelerSettings) -> LabelerSettings:
    """With a provider, so that each route is described."""
    return LabelerSettings.model_validate({**dict(settings), **OF_PROVIDER})


@pytest.mark.usefixtures("no_waiting")
async def test_each_route_is_open_to_its_role_and_those_above(labeler: Labeler) -> None:
    for role in ROLES:
        insert = "INSERT INTO users (name, role, password_hash, made_by) VALUES ($1, $1, '', 'olga')"
        await labeler.tables.execute(insert, role)
    wrong: list[str] = []
    async with labeler.client() as client:
        document = (await client.get("/openapi.json")).json()
        routes = [each for each in operations(document) if each.described.get("security")]
        for operation in routes:
            needed = NEEDS[operation.described["operationId"]]
            for role in ROLES:
                answer = await send(client, operation, {"Authorization": f"Bearer {token(role)}"})
                refused = answer.status_code == 403 and answer.json()["error"] == "forbidden"
                if answer.status_code in (401, 500) or refused is may_act_as(role, needed):
                    wrong.append(f"{role}: {operation}: {answer.status_code} {answer.text[:200]}")

    assert wrong == []
    assert {operation.described["operationId"] for operation in routes} == set(NEEDS)
