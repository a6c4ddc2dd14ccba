"""Signatures of unsupported formats that users send, so that an error message can name them."""

_SIGNATURES = {
    b"%PDF": "a PDF document",
    b"8BPS": "a Photoshop document",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML document",
    b"<!DOCTYPE": "an HTML page",
    b"<html": "an HTML page",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"\x00\x00\x00\x0cjP  ": "a JPEG 2000 image",
    b"\xff\x4f\xff\x51": "a JPEG 2000 image",
    b"\x00\x00\x00\x0cJXL ": "a JPEG XL image",
    b"\xff\x0a": "a JPEG XL image",
    b"\x00\x00\x01\x00": "an icon",
    b"v/1\x01": "an OpenEXR image",
    b"DDS ": "a DirectDraw surface",
    b"\x1aE\xdf\xa3": "a Matroska video",
    b"FUJIFILMCCD-RAW": "a camera's raw file (RAF)",
    b"IIU\0": "a camera's raw file (RW2)",
    b"IIRO": "a camera's raw file (ORF)",
    b"IIRS": "a camera's raw file (ORF)",
    b"MMOR": "a camera's raw file (ORF)",
    b"\0MRM": "a camera's raw file (MRW)",
    b"FOVb": "a camera's raw file (X3F)",
    b"CntZImage": "a LERC raster",
    b"Lerc2 ": "a LERC raster",
    b"SIMPLE  =": "a FITS file",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"CDF\x01": "a NetCDF file",
    b"CDF\x02": "a NetCDF file",
    b"\x93NUMPY": "a NumPy array",
    b"#?RADIANCE": "a Radiance HDR image",
    b"qoif": "a QOI image",
    b"gimp xcf": "a GIMP document",
    b"FLIF": "a FLIF image",
    b"BPG\xfb": "a BPG image",
    b"II\xbc": "a JPEG XR image",
    b"%!PS": "a PostScript document",
    b"\xc5\xd0\xd3\xc6": "a PostScript document",
    bytes([0, 0, 2, 0, 0, 0]): "a TGA image",
    b"\0\0\x02\0": "a cursor",
    b"SDPX": "a DPX image",
    b"XPDS": "a DPX image",
    b"OggS": "an Ogg file",
    b"FLV": "a Flash video",
    b"\0\0\x01\xba": "an MPEG video",
    b"\0\0\x01\xb3": "an MPEG video",
    b"\x8aMNG": "an MNG animation",
    b"\x8bJNG": "a JNG image",
    **dict.fromkeys((b"P%d" % number + space for number in range(1, 7) for space in (b"\n", b" ")), "a Netpbm image"),
    b"P7\n": "a Netpbm image",
    b"PF\n": "a Netpbm image",
    b"Pf\n": "a Netpbm image",
    b"icns": "an icon",
    b"\xd7\xcd\xc6\x9a": "a Windows metafile",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"/9j/": "an image in base64",
    b"iVBORw0KGgo": "an image in base64",
    b"UklGR": "an image in base64",
    b"data:": "a data URL",
}
"""Names of file formats by their first bytes."""

_PLACED = {
    (12, b"CgBI"): "a PNG as apps for iOS pack it (CgBI)",
    (40, b" EMF"): "a Windows metafile",
    (128, b"DICM"): "a DICOM file",
    (8, b"AVI "): "an AVI video",
    (8, b"WAVE"): "a sound file",
    (344, b"n+1\0"): "a NIfTI volume",
    (344, b"ni1\0"): "a NIfTI volume",
    (257, b"ustar"): "a tar archive",
}
"""Names of file formats by their bytes at an offset."""

_BRANDS = {b"crx ": "a camera's raw file (CR3)", b"jp2 ": "a JPEG 2000 image", b"jpx ": "a JPEG 2000 image"}
_IMAGE_BRANDS = (b"avif", b"avis", b"mif1", b"msf1", b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"MiHE")
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_CR2 = (b"II*\0", b"CR\x02")
_CR2_NAME = "a camera's raw file (CR2)"
_VIDEO = "a video"

NAMES = frozenset({*_SIGNATURES.values(), *_PLACED.values(), *_BRANDS.values(), _CR2_NAME, _VIDEO})
"""All names that ``name_of`` can return."""


def name_of(data: bytes) -> str | None:
    """Return the name of an unsupported file's format; None if it is unknown."""
    if data[:4] == _CR2[0] and data[8:11] == _CR2[1]:
        return _CR2_NAME
    for (place, mark), name in _PLACED.items():
        if data[place : place + len(mark)] == mark:
            return name
    if data[4:8] in _BOXES and data[8:12] not in _IMAGE_BRANDS:
        return _BRANDS.get(data[8:12], _VIDEO)
    start = data[:64].lstrip()
    return next((name for mark, name in _SIGNATURES.items() if data.startswith(mark) or start.startswith(mark)), None)
