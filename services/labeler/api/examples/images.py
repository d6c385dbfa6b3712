"""The picture: how it is uploaded, found and looked at."""

from collections.abc import Sequence
from datetime import UTC, datetime

from services.labeler.api.examples.story import FORMER, USER, example_image_id, example_sha256
from services.labeler.queries.cursors import InvalidCursor
from shared.clients.answers import AcceptedImage, ImageView, ResembledGroup, ShownPrediction, Uploaded
from shared.clients.browse import ImagePage, ListedImage
from shared.clients.duplicates import DuplicateCheck
from shared.clients.similar import SimilarImage, SimilarImages
from shared.contract.events import ImageRegistered, uuid_of
from shared.contract.replicas import PredictionLogged
from shared.http.docs import PICTURE
from shared.http.examples import Example
from shared.http.problems import Problem

NO_IMAGE = Problem(
    404,
    "image_unknown",
    "There is no image 1f0c7a52-91d4-5e0b-8c11-7a3b5d0e6f20. Check the id, or upload the image.",
)
NO_PICTURE = Problem(422, "not_an_image", "This is not an image. Send a JPEG, PNG, WebP, GIF or BMP.")
MANY = Problem(422, "invalid_request", "query.limit: Input should be less than or equal to 1000")
NO_ID = Problem(422, "invalid_request", "path.image_id: Input should be a valid UUID")


def of_images(labels: Sequence[str]) -> dict[str, Example]:
    """Return the examples of the routes below /images; the picture shows the first label."""
    image_id, sha256 = example_image_id(), example_sha256()
    view = ImageView(
        image_id=image_id,
        state="stored",
        label=labels[0],
        revision=0,
        trust="claimed",
        sha256=sha256,
        width=144,
        height=144,
        source="upload",
        registered_by=USER,
        corrected_by=None,
        attempt=1,
        prediction=example_prediction(labels),
        name=PICTURE,
    )
    uploaded = Uploaded(image_id=image_id, sha256=sha256, label=labels[0], revision=0)
    one, other = uuid_of("group", 1), uuid_of("group", 2)
    resembles = [
        ResembledGroup(side="train", count=1, images=[one]),
        ResembledGroup(side="test", count=1, images=[other]),
    ]
    quarantined = view.model_copy(update={"joins": [str(one), str(other)], "resembles": resembles})
    about = {"image_id": image_id}
    return {
        "upload_image": Example(
            body={"file": PICTURE, "label": labels[0]},
            answers={
                200: uploaded.model_copy(update={"duplicate_of": image_id}),
                201: uploaded,
                202: AcceptedImage(event_id=uuid_of(ImageRegistered.topic, image_id, 1), image_id=image_id),
            },
            problems=(NO_PICTURE,),
        ),
        "check_duplicate": Example(
            body={"file": PICTURE},
            answers={200: DuplicateCheck(duplicate=True, kind="bytes", image_id=image_id, distance=0)},
            problems=(NO_PICTURE,),
        ),
        "find_images": Example(
            parameters={"label": [labels[0]], "sort": "doubtful", "limit": 20},
            answers={200: _page(view)},
            problems=(Problem(422, "invalid_cursor", str(InvalidCursor())),),
        ),
        "export_images": Example(
            parameters={"format": "coco", "label": [labels[0]]},
            answers={200: _coco(labels[0])},
            problems=(Problem(422, "invalid_request", "query.format: Input should be 'csv' or 'zip'"),),
        ),
        "get_quarantine": Example(parameters={"limit": 5}, answers={200: [quarantined]}, problems=(MANY,)),
        "get_image": Example(parameters=about, answers={200: view}, problems=(NO_IMAGE, NO_ID)),
        "get_similar_images": Example(
            parameters={**about, "limit": 12}, answers={200: _similar(labels)}, problems=(NO_IMAGE, NO_ID)
        ),
        "get_image_content": Example(parameters=about, problems=(NO_IMAGE, NO_ID)),
        "get_rendition": Example(parameters={**about, "w": 320}, problems=(NO_IMAGE, NO_ID)),
    }


def _coco(label: str) -> dict[str, object]:
    picture = {"id": 1, "file_name": f"{label}/IMG_0412.jpg", "width": 4032, "height": 3024, "label": label}
    return {
        "info": {"description": "Pappus"},
        "categories": [{"id": 1, "name": label}],
        "images": [picture],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1}],
    }


def _page(image: ImageView) -> ImagePage:
    listed = ListedImage(
        **image.model_dump(include=ListedImage.model_fields.keys() - {"no_label"}),
        stored_at=datetime(2026, 5, 4, 12, tzinfo=UTC),
        no_label=None,
        decided_by=USER,
        decided_at=datetime(2026, 5, 4, 12, tzinfo=UTC),
        split="training",
    )
    return ImagePage(items=[listed], start=0, next=None, previous=None, total=1, more=False)


def _similar(labels: Sequence[str]) -> SimilarImages:
    other = SimilarImage(
        image_id=uuid_of("image", 2), cosine=0.8731, label=labels[0], prediction=example_prediction(labels)
    )
    return SimilarImages(items=[other])


def example_prediction(labels: Sequence[str]) -> ShownPrediction:
    """Return what the model says about the picture: the wrong label, and not for sure."""
    return ShownPrediction(
        prediction_id=uuid_of(PredictionLogged.topic, example_image_id()),
        label=labels[1],
        probabilities={labels[0]: 0.41, labels[1]: 0.59, **dict.fromkeys(labels[2:], 0.0)},
        model_version=FORMER,
    )
