"""Which bytes are taken as an image."""

import hashlib
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from services.ingestor.decisions.images import Acceptance, AcceptedImage, examine, refuse_label
from shared.contract.label_set import configured
from shared.web.rejection import Rejection

ACCEPTANCE = Acceptance(maximum_bytes=3_000_000, maximum_pixels=1_000_000)


def picture(form: str, mode: str = "RGB", size: tuple[int, int] = (60, 40), **options: object) -> bytes:
    base = Image.linear_gradient("L").resize(size).convert("RGB")
    out = BytesIO()
    base.convert(mode).save(out, form, **options)
    return out.getvalue()


def accepted(data: bytes) -> AcceptedImage:
    found = examine(data, ACCEPTANCE)
    assert isinstance(found, AcceptedImage), found
    return found


def refused(data: bytes) -> Rejection:
    found = examine(data, ACCEPTANCE)
    assert isinstance(found, Rejection), found
    return found


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_pictures_are_described_by_their_original_bytes(form: str) -> None:
    data = picture(form)
    image = accepted(data)
    assert (image.width, image.height, image.size_bytes, image.image_format) == (60, 40, len(data), form)
    assert image.sha256 == hashlib.sha256(data).hexdigest()
    assert image.object_key == f"images/sha256/{image.sha256[:2]}/{image.sha256}"
    assert image.content_type == f"image/{form.lower()}"


def test_a_cmyk_jpeg_is_taken() -> None:
    assert accepted(picture("JPEG", "CMYK")).image_format == "JPEG"


def test_width_and_height_are_those_a_person_sees() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = accepted(picture("JPEG", exif=exif))
    assert (image.width, image.height) == (40, 60)


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("P", (8, 8), colour) for colour in (0, 1, 2)]
    out = BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=20)
    assert accepted(out.getvalue()).image_format == "GIF"


def test_another_format_keeps_the_perceptual_hash_but_not_the_sha256() -> None:
    original, copy = accepted(picture("PNG")), accepted(picture("BMP"))
    assert original.sha256 != copy.sha256
    assert original.perceptual_hash == copy.perceptual_hash


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<!doctype html><title>Not found</title>", "not_an_image"),
        (picture("JPEG")[:400], "truncated"),
        (picture("PNG")[:-30], "truncated"),
        (picture("TIFF"), "unsupported_format"),
        (picture("PNG", "1", (4000, 4000)), "too_many_pixels"),
        (bytes(3_000_001), "too_large"),
    ],
)
def test_a_rejected_image_has_its_reason(data: bytes, reason: str) -> None:
    rejection = refused(data)
    assert rejection.reason == reason
    assert rejection.detail
    assert not rejection.retryable


@given(st.binary(max_size=200), st.integers(0, 600))
def test_no_bytes_whatever_make_it_raise(noise: bytes, at: int) -> None:
    data = picture("JPEG")
    examine(data[:at] + noise + data[at + len(noise) :], ACCEPTANCE)


@pytest.mark.parametrize(("label", "fine"), [("grass", True), (None, True), ("rose", False), ("", False)])
def test_only_labels_of_this_installation_are_taken(label: str | None, fine: bool) -> None:
    rejection = refuse_label(label, configured(("dandelion", "grass")))
    assert (rejection is None) is fine
    if rejection is not None:
        assert rejection.reason == "unknown_label"
        assert "dandelion, grass" in rejection.detail
