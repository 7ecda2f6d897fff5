"""A picture's file, bytes or image, opened and known for what it is, its pixels not read yet."""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, BinaryIO, NoReturn

import numpy as np
from PIL import Image, UnidentifiedImageError

from crowdcount.data.tiff import RareTiff, has_full_page, is_rare, is_reduced, turn_to_page
from crowdcount.errors import PictureError, first_line

Source = str | os.PathLike | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray

# Only these of Pillow's readers are used: others start Ghostscript (EPS), show a preview or guess without a
# signature. HEIF is there once `pillow_heif.register_heif_opener()` was called.
_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "AVIF", "JPEG2000", "PPM", "HEIF")
# Of these a file may move. (The second frame of an MPO is the same view again, by another lens or smaller.)
_ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")
# How files begin: signature, format, and where their width and height stand, if at a fixed place.
_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG", None, 0),
    (b"\x89PNG", "PNG", ">II", 16),
    (b"GIF8", "GIF", "<HH", 6),
    (b"BM", "BMP", "<ii", 18),
    (b"II*\0", "TIFF", None, 0),
    (b"MM\0*", "TIFF", None, 0),
    (b"II+\0", "TIFF", None, 0),  # BigTIFF, of which Pillow knows one order of bytes
    (b"MM\0+", "TIFF", None, 0),
    (b"RIFF", "WebP", None, 0),
)
# How files of ISO's format of boxes call themselves, behind "ftyp".
AVIF_BRANDS = (b"avif", b"avis")
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
# How files begin, from the place that is named, that people take for a picture: what they are, and what to do.
_VIDEO = ("a video", "Count it with: crowdcount video FILE.")
_NO_PICTURES = (
    (0, b"version https://git-lfs", "a pointer of Git LFS", "Fetch the file itself: git lfs pull."),
    (0, b"<!doctype html", "a web page", "Download the picture itself."),
    (0, b"<html", "a web page", "Download the picture itself."),
    (0, b"%pdf-", "a PDF document", "Save its page, or the picture in it, as JPEG or PNG."),
    (0, b"pk\3\4", "an archive, or a document that is one", "Unpack it, and name the pictures in it."),
    (0, b"\x1f\x8b", "a compressed file", "Unpack it, and name the pictures in it."),
    (0, b"\x1ae\xdf\xa3", *_VIDEO),
    (8, b"avi ", *_VIDEO),
    *(
        (4, b"ftyp" + brand, *_VIDEO)
        for brand in (b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp4", b"avc1", b"qt  ")
    ),
)
_AGAIN = "Copy or download it again, or open it in a picture program and save it as JPEG or PNG."

# Of two letters or more: one is a drive of Windows.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
# Tag of DNG 1.7.
_DNG_TAG = 50706

_lock = threading.Lock()
_readers = 0
_restore = ExitStack()


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Set Pillow's own pixel limit and warnings aside while any thread reads a picture.

    Both are global to the process. The first reader sets them aside and the last one puts them back, so that
    threads can decode at the same time and the caller finds everything as it was.
    """
    global _readers
    with _lock:
        if _readers == 0:
            _restore.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", module=r"PIL\.")
            _restore.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
            Image.MAX_IMAGE_PIXELS = None
        _readers += 1
    try:
        yield
    finally:
        with _lock:
            _readers -= 1
            if _readers == 0:
                _restore.close()


@contextmanager
def opened(source: Any, page: int | None, notes: list[str]) -> Iterator[tuple[Image.Image | RareTiff, str]]:
    """Yield the image, not decoded yet, and the name that error messages give it.

    Args:
        source: see `crowdcount.load_picture`.
        page: which page or frame, from 1; None: the largest page of a TIFF, else the first frame.
        notes: gains a sentence where the largest of several pages, or the first of several frames, was taken.
    """
    if isinstance(source, Image.Image):
        path = getattr(source, "filename", "")
        size = f"{source.size[0]} x {source.size[1]}"
        name = repr(os.fsdecode(path)) if path else f"The PIL image (mode {source.mode}, {size})"
        yield _at_page(source, name, page, notes), name
    elif isinstance(source, (bytes, bytearray, memoryview)):
        name = f"The picture given as {type(source).__name__} ({memoryview(source).nbytes} bytes)"
        with io.BytesIO(bytes(source)) as file:
            yield _identified(file, name, page, notes), name
    elif isinstance(source, (str, os.PathLike)):
        path = os.fsdecode(source)
        with _open_file(path) as file:
            yield _identified(file, repr(path), page, notes), repr(path)
    elif hasattr(source, "read"):
        path = getattr(source, "name", None)
        name = repr(path) if isinstance(path, str) else f"The picture given as {type(source).__name__}"
        yield _identified(_from_beginning(source, name), name, page, notes), name
    else:
        raise PictureError(
            f"A picture cannot be made from {type(source).__name__} {repr(source)[:80]}. Give a path, the "
            "bytes of a file, a file object, a PIL image or a NumPy array."
        )


def _open_file(path: str) -> BinaryIO:
    name = repr(path)
    if _ADDRESS.match(path) and not os.path.exists(path):
        raise PictureError(f"{name} is an address. Download the picture and give the file's path.")
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise PictureError(f"{name} is a folder, not a picture. Give one of the pictures in it.")
        if not stat.S_ISREG(mode):
            # Opening a pipe would wait for ever, reading /dev/zero would never end.
            raise PictureError(f"{name} is a pipe or a device, not a file. Save the picture to a file first.")
        return open(path, "rb")
    except FileNotFoundError as error:
        raise PictureError(f"{name} does not exist. Check its spelling{looked_from(path)}.") from error
    except PermissionError as error:
        advice = "Change its rights or its folder's."
        raise PictureError(f"{name} may not be read: permission denied. {advice}") from error
    except PictureError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"{name} cannot be opened: {reason}. Check its path.") from error


def looked_from(path: str | os.PathLike) -> str:
    return "" if os.path.isabs(path) else f" (looked from {os.getcwd()!r})"


def _from_beginning(file: Any, name: str) -> BinaryIO:
    """The file object itself, at its beginning, or its content where it cannot be moved (pipes, sockets)."""
    if isinstance(file, io.TextIOBase):
        raise PictureError(f"{name} is a file object opened in text mode. Open it in binary mode, 'rb'.")
    if getattr(file, "closed", False):
        raise PictureError(f"{name} is a closed file object. Open it again, or give its path.")
    try:
        file.seek(0)
        return file
    except (AttributeError, OSError):
        with decoding(name):
            data = file.read()
    if not isinstance(data, bytes):
        raise PictureError(f"{name} reads {type(data).__name__}. Give a file object that reads bytes.")
    return io.BytesIO(data)


def _at_page(image: Image.Image, name: str, page: int | None, notes: list[str]) -> Image.Image | RareTiff:
    """The page that is wanted; of a TIFF file that Pillow would read wrongly, by tifffile."""
    told: list[str] = []
    with decoding(name):
        turn_to_page(image, name, page, told)
        file: Any = getattr(image, "fp", None)
        if is_rare(image) and file is not None and getattr(image, "tile", None):  # its pixels are not read yet
            return RareTiff(file, name, page, notes)
    notes += told
    return image


def _identified(file: BinaryIO, name: str, page: int | None, notes: list[str]) -> Image.Image | RareTiff:
    """Let Pillow read the headers; of a TIFF that it does not know, or reads wrongly, tifffile."""
    Image.init()
    try:
        formats = [kind for kind in _FORMATS if kind in Image.OPEN]
        if name.lower().endswith(".tga'"):  # which has no signature
            formats.append("TGA")
        with decoding(name):
            image = Image.open(file, formats=formats)
    except PictureError as error:
        with decoding(name):  # a file object may be open for writing alone
            file.seek(0)
            start = file.read(32)
        if _is_canon_raw(start):
            raise _raw(name) from error
        if _seems_tiff(start, error):
            return RareTiff(file, name, page, notes)
        _refuse(start, name, error)
    if page is None and _is_animated(image):
        notes.append("The file is an animation, and its first frame was taken: page (--page) names another.")
    _refuse_preview(image, file, name)
    return _at_page(image, name, page, notes)


def _seems_tiff(start: bytes, error: PictureError) -> bool:
    """Whether what Pillow does not know begins like a TIFF file."""
    kind = next((kind for signature, kind, *_ in _SIGNATURES if start.startswith(signature)), None)
    return kind == "TIFF" and isinstance(error.__cause__, UnidentifiedImageError)


def _refuse(start: bytes, name: str, error: PictureError) -> NoReturn:
    """Say what a file that Pillow does not open is, by its first bytes."""
    if not start:
        raise PictureError(f"{name} is empty (0 bytes). Copy or download it again.") from error
    if start[4:8] == b"ftyp" and start[8:12] in HEIC_BRANDS:
        raise PictureError(
            f"{name} is a HEIC picture, as iPhones take them. Save it as JPEG; or, in Python, install "
            "pillow-heif and call pillow_heif.register_heif_opener() first."
        ) from error
    if not isinstance(error.__cause__, UnidentifiedImageError):
        raise error
    if start[4:8] == b"ftyp" and start[8:12] in AVIF_BRANDS:
        raise PictureError(
            f"{name} begins like an AVIF file, but is cut off, damaged or of a rare kind. {_AGAIN}"
        ) from error
    for at, beginning, kind, advice in _NO_PICTURES:
        if start.lower().startswith(beginning, at):
            raise PictureError(f"{name} is {kind}, no picture. {advice}") from error
    for signature, kind, layout, offset in _SIGNATURES:
        if start.startswith(signature):
            if layout and len(start) >= offset + struct.calcsize(layout):
                width, height = struct.unpack_from(layout, start, offset)
                check_size(width, height, name)
            raise PictureError(
                f"{name} begins like a {kind} file, but is cut off, damaged or of a rare kind. {_AGAIN}"
            ) from error
    raise PictureError(
        f"{name} is not a picture that can be read here: it does not begin like JPEG, PNG, WebP, BMP, "
        "TIFF or GIF. Check that it is the right file, or save it as JPEG or PNG in a picture program."
    ) from error


def _refuse_preview(image: Image.Image, file: BinaryIO, name: str) -> None:
    with decoding(name):
        preview = _DNG_TAG in getattr(image, "tag_v2", {}) or is_reduced(image) and not has_full_page(image)
        if image.format == "TIFF" and not preview:
            at = file.tell()
            file.seek(0)
            preview = _is_canon_raw(file.read(32))
            file.seek(at)
        if preview:
            raise _raw(name)


def _is_canon_raw(start: bytes) -> bool:
    """Whether a file begins like Canon's CR2, a TIFF with a preview before the rest: its JPEG mostly lies beside it."""
    return start.startswith(b"II*\0") and start[8:10] == b"CR"


def _raw(name: str) -> PictureError:
    return PictureError(
        f"{name} is a camera's raw file: what can be read of it is a small preview. Save it as JPEG in a picture "
        "program."
    )


def _is_animated(image: Image.Image) -> bool:
    animated = False
    if image.format in _ANIMATED:
        with suppress(Exception):  # what is wrong with later frames is nothing to the first
            animated = getattr(image, "is_animated", False)
            image.seek(0)
    return animated


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Turn what Pillow raises into a PictureError."""
    try:
        yield
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError(f"{name} does not fit into this machine's memory. Shrink it.") from error
    except Exception as error:
        # On damaged files Pillow's readers raise nearly anything: OSError, SyntaxError, struct.error, ...
        raise PictureError(f"{name} is cut off or damaged ({first_line(error)}). {_AGAIN}") from error


def check_size(width: int, height: int, name: str) -> None:
    if width == 0 or height == 0:
        raise PictureError(f"{name} has no pixels: it is {width} wide, {height} high. Check how it was made.")
