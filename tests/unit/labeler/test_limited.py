"""How large an image the pages and the services take."""

import pytest

from services.labeler.settings import LIMIT_MEGABYTES, LabelerSettings
from services.predictor.settings import PredictorSettings


@pytest.mark.parametrize("settings", [LabelerSettings, PredictorSettings])
def test_an_image_the_page_takes_the_services_take(settings: type[LabelerSettings] | type[PredictorSettings]) -> None:
    assert settings.model_fields["upload_limit_bytes"].default >= LIMIT_MEGABYTES * 2**20
