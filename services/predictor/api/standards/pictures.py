"""From the input of a request in the Open Inference Protocol to image files."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.predictor.api.standards.batches import bad_request, check_number, image_of_text
from services.predictor.api.standards.tensors import Tensor, flatten, unpack_bytes
from shared.imaging.structure import Pixels

IMAGE, PIXELS = "image", "pixels"


class Pictures(Sequence[bytes]):
    """Pixels, uint8 [n, h, w, 3], as files: each is made when its turn comes, so that they take no room before."""

    def __init__(self, pixels: Pixels) -> None:
        self._pixels = pixels

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, number: Any) -> Any:
        return bmp_of(self._pixels[number])


def images_of(inputs: tuple[Tensor, ...]) -> Sequence[bytes]:
    """Return the images of a request as files, in their order; one of pixels is made when its turn comes. Raises
    Problem (400) if there are none."""
    names = [tensor.name for tensor in inputs]
    if names == [IMAGE] and inputs[0].datatype == "BYTES":
        return _files(inputs[0])
    if names == [PIXELS] and inputs[0].datatype == "UINT8":
        return Pictures(_pictures(inputs[0]))
    found = ", ".join(f"{tensor.name[:40]!r} of {tensor.datatype}" for tensor in inputs[:3]) or "none"
    raise bad_request(f"The inputs are {found}. Send one: {IMAGE!r} of BYTES, or {PIXELS!r} of UINT8.")


def bmp_of(pixels: Pixels) -> bytes:
    """Return pixels, uint8 RGB [h, w, 3], as a BMP file: every pixel stays as it is, and what is answered, hashed and
    counted is a file, as everywhere."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "BMP")
    return file.getvalue()


def _files(tensor: Tensor) -> list[bytes]:
    if len(tensor.shape) not in (1, 2) or tensor.shape[1:] not in ((), (1,)):
        raise bad_request(f"The shape of {IMAGE!r} is {list(tensor.shape)}. Send [N] or [N, 1].")
    check_number(tensor.size)
    if isinstance(tensor.data, memoryview):
        found = unpack_bytes(tensor.data, tensor.size)
    else:
        texts = flatten(tensor.data, len(tensor.shape))
        _check_count(tensor, len(texts))
        found = [image_of_text(text) for text in texts]
    _check_count(tensor, len(found))
    return found


def _pictures(tensor: Tensor) -> Pixels:
    """Return the pictures, uint8 [n, h, w, 3]."""
    if len(tensor.shape) not in (3, 4) or tensor.shape[-1] != 3 or 0 in tensor.shape[-3:]:
        raise bad_request(f"The shape of {PIXELS!r} is {list(tensor.shape)}. Send [N, H, W, 3] or [H, W, 3], RGB.")
    check_number(tensor.shape[0] if len(tensor.shape) == 4 else 1)
    values = np.frombuffer(tensor.data, np.uint8) if isinstance(tensor.data, memoryview) else _whole_numbers(tensor)
    _check_count(tensor, len(values))
    return values.reshape(-1, *tensor.shape[-3:])


def _whole_numbers(tensor: Tensor) -> NDArray[np.uint8]:
    values = flatten(list(tensor.data), len(tensor.shape))
    if not all(type(each) is int and 0 <= each <= 255 for each in values):
        raise bad_request(f"{PIXELS!r} has something else than whole numbers from 0 to 255. Send UINT8.")
    return np.array(values, np.uint8)


def _check_count(tensor: Tensor, found: int) -> None:
    if found != tensor.size:
        raise bad_request(
            f"The data of {tensor.name!r} has {found} elements, and its shape {list(tensor.shape)} has {tensor.size}."
            " Send as many as the shape says."
        )
