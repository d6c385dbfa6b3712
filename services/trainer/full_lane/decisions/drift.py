"""What the answers of a new model look like without drift. Pure."""

from collections.abc import Mapping

import numpy as np

from services.trainer.dataset.manifest import Manifest
from services.trainer.model.arrays import Floats
from services.trainer.model.correction_layer import CorrectionLayer, own_rows
from services.trainer.model.head import Head
from services.trainer.model.reference_inference import predict_probabilities
from shared.contract.artefact import DriftReference
from shared.drift.reference import make_reference
from shared.drift.sketch import project_features

MOST_SKETCHED = 10_000
"""Of so many images the features are compared with later ones."""


def drift_reference(
    head: Head, layer: CorrectionLayer, manifest: Manifest, features: Mapping[str, Floats]
) -> DriftReference | None:
    """Return the reference that travels with the artefact; None if there are too few images for one. `features` are
    float32 [d] by sha256. The features of all images count, of very many those of some, which is as good as chance;
    answers and confidence are those about the test side, without the corrections of the image itself: about images it
    has learned, a model is too sure."""
    tests = manifest.of_side("test")
    own = own_rows(layer, [sample.image_id for sample in tests])
    answers = predict_probabilities(head, layer, np.stack([features[sample.sha256] for sample in tests]), own)  # [t, c]
    distinct = sorted({sample.sha256 for sample in manifest.samples})
    distinct = distinct[:: -(-len(distinct) // MOST_SKETCHED)]
    sketches = np.array([project_features(features[digest]) for digest in distinct])  # [n, 16]
    return make_reference(sketches, answers.argmax(axis=1).tolist(), answers.max(axis=1), len(head.labels))
