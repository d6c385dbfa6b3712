"""Names for bytes that are none of the formats taken, so that a refusal names the true reason."""

import re

from shared.imaging.refusals import TAKEN, UndecodableImage, unsupported

_PICTURES = (
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"II\xbc", "a JPEG XR picture"),
    (b"II*\0", "a TIFF picture or the raw file of a camera"),
    (b"MM\0*", "a TIFF picture or the raw file of a camera"),
    (b"II+\0", "a TIFF picture"),
    (b"MM\0+", "a TIFF picture"),
    (b"8BPS", "a Photoshop picture"),
    (b"gimp xcf", "a GIMP picture"),
    (b"\0\0\1\0", "an ICO icon"),
    (b"icns", "an ICNS icon"),
    (b"qoif", "a QOI picture"),
    (b"DDS ", "a DDS texture"),
    (b"v/1\x01", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance HDR picture"),
    (b"SIMPLE  =", "a FITS picture"),
    (b"/* XPM */", "an XPM picture"),
    (b"AT&TFORM", "a DjVu document"),
    (b"\x8aMNG\r\n\x1a\n", "an MNG animation"),
    (b"\x8bJNG\r\n\x1a\n", "a JNG picture"),
    (b"BPG\xfb", "a BPG picture"),
    (b"FLIF", "a FLIF picture"),
    (b"FUJIFILMCCD-RAW", "the raw file of a camera"),
    (b"\xd7\xcd\xc6\x9a", "a WMF picture"),
)
_BRANDS = {
    b"avif": "an AVIF picture",
    b"avis": "an AVIF picture",
    b"heic": "a HEIC picture",
    b"heix": "a HEIC picture",
    b"heim": "a HEIC picture",
    b"heis": "a HEIC picture",
    b"hevc": "a HEIC picture",
    b"hevx": "a HEIC picture",
    b"mif1": "a HEIF picture",
    b"msf1": "a HEIF picture",
    b"crx ": "the raw file of a camera",
    b"jp2 ": "a JPEG 2000 picture",
    b"jxl ": "a JPEG XL picture",
}
_OTHERS = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x1a\x45\xdf\xa3", "a video"),
)
_MARKUP = re.compile(rb"\A(?:\xef\xbb\xbf)?(?:<\?[^>]*>|<!--.*?-->|<![^>-][^>]*>|\s)*+<(svg|html)\b", re.I | re.S)
_PORTABLE = re.compile(rb"\AP[1-7Ff]\s+[#\d-]|\AP7\n")
_START_BYTES = 4096


def refuse_foreign(data: bytes) -> UndecodableImage:
    """Return the refusal of bytes that carry the signature of no format taken."""
    start = data[:_START_BYTES]
    picture = _picture(start, data[-26:])
    if picture:
        return unsupported(picture)
    other = _other(start)
    if other:
        return UndecodableImage("not_an_image", f"This is {other}, not an image. Send {TAKEN}.")
    return UndecodableImage("not_an_image", f"This is not an image. Send {TAKEN}.")


def _picture(start: bytes, end: bytes) -> str | None:
    for signature, name in _PICTURES:
        if start.startswith(signature):
            return name
    if start.startswith(b"\0\0\2\0") and start[4:5] > b"\0":  # in TGA, which begins alike, no colour map follows
        return "a CUR cursor"
    if start[4:8] == b"ftyp":
        return _branded(start)
    markup = _MARKUP.match(start)
    if markup and markup[1].lower() == b"svg":
        return "an SVG drawing"
    if _PORTABLE.match(start):
        return "a PPM picture (or another of the Netpbm family)"
    return "a TGA picture" if b"TRUEVISION-XFILE" in end or _like_tga(start) else None


def _branded(start: bytes) -> str:
    """Return the name of an ISO base media file, by its brands (ISO 14496-12, 4.3)."""
    length = min(int.from_bytes(start[:4], "big"), len(start))
    brands = {start[8:12], *(start[at : at + 4] for at in range(16, length, 4))}
    return next((name for brand, name in _BRANDS.items() if brand in brands), "a video or a picture of another kind")


def _like_tga(start: bytes) -> bool:
    """TGA has no signature; its header (TGA 2.0, table 2) allows few values."""
    if len(start) < 18:
        return False
    colour_map, kind, depth, descriptor = start[1], start[2], start[16], start[17]
    sizes = any(start[12:14]) and any(start[14:16])
    kinds = (1, 9) if colour_map == 1 else (2, 3, 10, 11)
    return colour_map in (0, 1) and kind in kinds and depth in (8, 15, 16, 24, 32) and descriptor < 0x40 and sizes


def _other(start: bytes) -> str | None:
    for signature, name in _OTHERS:
        if start.startswith(signature):
            return name
    if start[:4] == b"RIFF":
        return "a sound or a video"
    return "an HTML page" if _MARKUP.match(start) else None
