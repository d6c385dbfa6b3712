"""Asks a replica with the client of MLflow, in a program of its own: that takes seconds to import, with warnings.

python -m tests.unit.predictor.standards.ask_with_mlflow PORT
"""

import base64
import sys
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

from tests.unit.predictor.small_model import picture

RED, GREEN = (base64.encodebytes(picture(*colour)).decode() for colour in ((255, 0, 0), (0, 255, 0)))
"""As MLflow encodes bytes elsewhere: in lines. Its client leaves that to the caller."""


def ask(port: int) -> None:
    """Ask everything that a client asks; give 6 images that are answered."""
    client: Any = ScoringServerClient("127.0.0.1", port)  # type: ignore[no-untyped-call]
    client.wait_server_ready()
    assert client.get_version() == "1"
    table = pd.DataFrame({"name": ["a", "b"], "image": [RED, GREEN]})
    found = client.invoke(table).get_predictions()
    assert found["label"].tolist() == ["dandelion", "grass"]
    assert {"probabilities", "prediction_id", "model_version"} <= set(found.columns)
    found = client.invoke([RED, GREEN], params={"any": 1}).get_predictions()
    assert found["label"].tolist() == ["dandelion", "grass"]
    found = client.invoke(np.array([RED, GREEN], np.object_)).get_predictions()
    assert found["label"].tolist() == ["dandelion", "grass"]
    with pytest.raises(Exception, match="This is not an image"):
        client.invoke([base64.b64encode(b"hello").decode()])


if __name__ == "__main__":
    ask(int(sys.argv[1]))
