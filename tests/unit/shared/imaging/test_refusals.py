"""A refusal names the true reason: what the bytes are, and never the words of a library."""

import gzip
import struct
import zipfile
from io import BytesIO

import pytest
from PIL import Image

from shared.imaging.decoding import UndecodableImage, decode
from tests.integration.imaging.other_files import bmp_files, gif_files, jpeg, jpeg_files, segment, webp_files
from tests.integration.imaging.png_files import png, png_files


def refusal_of(data: bytes) -> UndecodableImage:
    with pytest.raises(UndecodableImage) as refusal:
        decode(data)
    return refusal.value


def saved(file_format: str) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (40, 20), "green").save(buffer, file_format)
    return buffer.getvalue()


def branded(*brands: bytes) -> bytes:
    return struct.pack(">I4s4sI", 16 + 4 * len(brands[1:]), b"ftyp", brands[0], 0) + b"".join(brands[1:]) + bytes(90)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (saved("JPEG2000"), "a JPEG 2000 picture"),
        (b"\xff\x4f\xff\x51" + bytes(40), "a JPEG 2000 picture"),
        (b"\xff\x0a" + bytes(40), "a JPEG XL picture"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40), "a JPEG XL picture"),
        (saved("AVIF"), "an AVIF picture"),
        (branded(b"mif1", b"avif"), "an AVIF picture"),
        (branded(b"heic", b"mif1", b"heic"), "a HEIC picture"),
        (branded(b"isom", b"mp41"), "a video or a picture of another kind"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"<?xml version='1.0'?>\n<!-- drawn -->\n<!DOCTYPE svg>\n<svg/>", "an SVG drawing"),
        (saved("PPM"), "a PPM picture"),
        (b"P5\n# made by hand\n3 2\n255\n" + bytes(6), "a PPM picture"),
        (saved("TGA"), "a TGA picture"),
        (saved("TIFF"), "a TIFF picture"),
        (saved("ICO"), "an ICO icon"),
        (saved("DDS"), "a DDS texture"),
        (b"8BPS\0\1" + bytes(40), "a Photoshop picture"),
        (b"\xff\xd8" + segment(0xC3, b"\x08\0\1\0\1\1\1\x11\0") + segment(0xDA, bytes(6)), "a lossless JPEG picture"),
        (b"\xff\xd8" + segment(0xC1, b"\x0c\0\1\0\1\1\1\x11\0") + segment(0xDA, bytes(6)), "more than 8 bits"),
    ],
)
def test_a_picture_of_another_format_is_called_by_its_name(data: bytes, kind: str) -> None:
    refusal = refusal_of(data)
    assert refusal.reason == "unsupported_format"
    assert kind in str(refusal)
    assert "Send JPEG, PNG, WebP, GIF or BMP." in str(refusal)


def zipped() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "a")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", "an HTML page"),
        (b"%PDF-1.7\n", "a PDF document"),
        (zipped(), "a ZIP archive"),
        (gzip.compress(jpeg()), "a gzip file"),
        (b"RIFF\0\0\0\0WAVEfmt ", "a sound or a video"),
        (b"BMW is a car, and this is a text about it", "not an image"),
        (b" " * 4096 + b"<p>", "not an image"),
        (b"\xef\xbb\xbf" + png(), "not an image"),
    ],
)
def test_what_is_no_picture_is_called_by_its_name(data: bytes, kind: str) -> None:
    refusal = refusal_of(data)
    assert refusal.reason == "not_an_image"
    assert kind in str(refusal)


def test_no_library_speaks_in_a_refusal() -> None:
    whole = [
        pair for files in (png_files, jpeg_files, gif_files, webp_files, bmp_files) for pair in files() if len(pair[1])
    ]
    texts = set()
    for _, data in whole[::7]:
        for kept in (0.2, 0.7):
            try:
                decode(data[: int(len(data) * kept)])
            except UndecodableImage as refusal:
                texts.add(str(refusal))
    formats = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
    sentence = "The {} picture is cut off or damaged. Send the complete file, or save it again."
    assert texts <= {sentence.format(name) for name in formats}
    assert len(texts) == len(formats)
