"""Any picture a person has -> one uint8 RGB array, or one clear error.

Everything after this module sees the same thing: uint8, shape (height, width, 3), RGB, upright, at the size
it was taken. A picture that cannot be read in full is refused, never counted in part: half a picture gives
half a count.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from crowdcount.data.samples import to_uint8, used_bits
from crowdcount.data.tiff import is_rare, largest_page, read_rare
from crowdcount.errors import PictureError
from crowdcount.files import natural

Source = str | os.PathLike | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray

#: Width times height above which a file is taken for a decompression bomb. The largest phone cameras take 200
#: megapixels; a picture of this size needs about 2 GB while it is read.
MAX_PIXELS = 250_000_000

#: Names that `list_pictures` takes for pictures. Those that cannot be read (HEIC, JPEG XL, raw files of cameras) are
#: among them, so that a folder gives an error for each, and not a total that silently lacks them.
PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".mpo", ".insp", ".png", ".apng", ".webp", ".bmp", ".dib", ".tif"}
    | {".tiff", ".gif", ".avif", ".jp2", ".j2k", ".ppm", ".pgm", ".pnm", ".tga", ".heic", ".heif", ".hif", ".jxl"}
    | {".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2"}
)

# Only these of Pillow's readers are used: others start Ghostscript (EPS), show a preview or guess without a
# signature. HEIF is there once `pillow_heif.register_heif_opener()` was called.
_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "AVIF", "JPEG2000", "PPM", "HEIF")
# How files begin: signature, format, and where their width and height stand, if at a fixed place.
_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG", None, 0),
    (b"\x89PNG", "PNG", ">II", 16),
    (b"GIF8", "GIF", "<HH", 6),
    (b"BM", "BMP", "<ii", 18),
    (b"II*\0", "TIFF", None, 0),
    (b"MM\0*", "TIFF", None, 0),
    (b"RIFF", "WebP", None, 0),
)
# Signatures that no text and no other kind of file begins with; and suffixes of what lies beside pictures.
_CERTAIN = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_OTHERS = frozenset(
    {".txt", ".csv", ".json", ".html", ".xml", ".mat", ".md", ".pdf", ".mp4", ".mov", ".avi", ".mkv", ".zip", ".py"}
    | {".h5", ".npy", ".npz"}
)
_PNG_KEYWORDS = (b"Raw profile type exif", b"XML:com.adobe.xmp")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AGAIN = "Copy or download it again, or open it in a picture program and save it as JPEG or PNG."

# Tags of TIFF 6.0, EXIF 2.32 and DNG 1.7.
_REDUCED_TAG, _WIDTH_TAG, _HEIGHT_TAG, _ORIENTATION_TAG, _DNG_TAG = 254, 256, 257, 274, 50706
_PHOTOMETRIC_TAG = 262

# EXIF orientation -> what makes the picture upright. Orientation 1 needs nothing.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def load_picture(source: Source, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read a picture as an upright RGB array at its own size.

    Files may be JPEG, PNG, WebP, BMP, TIFF (largest page), GIF (first frame), and what else Pillow's AVIF, JPEG
    2000, PPM and TGA readers take. EXIF orientation is applied. Gray becomes three equal channels, palettes and CMYK
    become RGB, transparent parts are laid on white, wide samples are scaled by the bits that they use.

    Args:
        source: a path, the bytes of a file, a binary file object (read from its beginning, left open), a PIL
            image (its current frame; lazily opened ones are read), or a NumPy array of shape (H, W),
            (H, W, 1), (H, W, 3) in RGB order, or (H, W, 4) in RGBA order. The array's values by dtype: uint8
            as they are; uint16 scaled by the bits that they use, 8 to 16; bool as black and white; other integers must
            lie in 0..255; floats must all lie in 0..1 (then multiplied by 255) or in 0..255 with a largest value
            of at least 2. Anything that NumPy can convert to an array will do.
        max_pixels: width times height above which a file or PIL image is refused. Arrays never are: they are
            in memory already.

    Returns:
        A new, contiguous uint8 array of shape (height, width, 3), RGB.

    Raises:
        PictureError: if the picture is missing, empty, cut off, damaged, too large, of size zero, no picture
            at all, or an array with values or a shape outside the rules above. The message names the file.

    Reference:
        EXIF 2.32 (CIPA DC-008), tag 0x0112, for the orientations.

    Example:
        >>> import numpy as np
        >>> gray = np.array([[0.0, 0.5, 1.0]])
        >>> load_picture(gray)[0].tolist()
        [[0, 0, 0], [128, 128, 128], [255, 255, 255]]
    """
    if _is_array(source):
        return _rgb_from_array(source)
    with _quiet_pillow(), _opened(source) as (image, name):
        if isinstance(image, np.ndarray):
            return _rgb_from_array(image)
        with _decoding(name):
            largest_page(image)
        width, height = image.size
        _check_size(width, height, name)
        if width * height > max_pixels:
            raise PictureError(
                f"{name} has {width} x {height} = {width * height:,} pixels, more than the limit of "
                f"{max_pixels:,}. Shrink it, or, if you trust where it comes from, raise the limit in Python: "
                f"crowdcount.load_picture(..., max_pixels={width * height})."
            )
        with _decoding(name):
            image.load()
        # Only now: Pillow turns a TIFF upright as it loads it, and a PNG may hold its EXIF after the pixels.
        turn = _TURNS.get(_orientation(image))
        rgb = _rgb_image(image, name)
        return np.array(rgb if turn is None else rgb.transpose(turn))


def picture_size(source: Source) -> tuple[int, int]:
    """Height and width of a picture as `load_picture` would return it, without decoding it.

    Args:
        source: as for `load_picture`. Only the headers of a file are read, and no limit of size applies.

    Returns:
        (height, width) in pixels of the upright picture.

    Raises:
        PictureError: as `load_picture`, for what the headers show. A file whose end is missing may pass here.

    Example:
        >>> import numpy as np
        >>> picture_size(np.zeros((30, 40, 3), np.uint8))
        (30, 40)
    """
    if _is_array(source):
        return _as_array(source)[0].shape[:2]
    with _quiet_pillow(), _opened(source) as (image, name):
        if isinstance(image, np.ndarray):
            return image.shape[:2]
        with _decoding(name):
            largest_page(image)
        width, height = image.size
        if image.format == "TIFF" and getattr(image, "tile", None):
            # Of an unread TIFF, some versions of Pillow give the upright size, some the stored one, as here.
            tags = image.tag_v2  # type: ignore[attr-defined]  # TIFF pictures have them
            width, height = tags[_WIDTH_TAG], tags[_HEIGHT_TAG]
        _check_size(width, height, name)
        return (width, height) if _orientation(image) >= 5 else (height, width)


def list_pictures(folder: str | os.PathLike, recursive: bool = False) -> list[Path]:
    """The pictures in a folder, by their suffix, sorted by path; numbers in names by their size.

    Hidden files and folders (names that start with a dot, among them macOS's `._` companions) are left out. A
    link that leads nowhere is listed, so that reading it reports it; links to folders are not followed.

    Args:
        folder: the folder to look in.
        recursive: look in its subfolders too.

    Returns:
        Paths that start with `folder`; empty if there are none.

    Raises:
        PictureError: if `folder`, or a subfolder that is to be searched, is missing, no folder, or may
            not be read.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("IMG_303.JPG", "IMG_32.png", "notes.txt"):
        ...     (folder / name).touch()
        >>> [path.name for path in list_pictures(folder)]
        ['IMG_32.png', 'IMG_303.JPG']
    """
    folder = Path(folder)

    def refuse(error: OSError) -> None:
        place = f"The folder {os.fspath(error.filename or folder)!r}"
        if isinstance(error, FileNotFoundError):
            advice = f"Check its spelling{_looked_from(folder)}."
            raise PictureError(f"{place} does not exist. {advice}") from error
        if isinstance(error, NotADirectoryError):
            raise PictureError(f"{place} is a file, not a folder. Give the folder that holds it.") from error
        raise PictureError(f"{place} cannot be read: {error.strerror}. Check its permissions.") from error

    found = []
    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if recursive and not name.startswith(".")]
        found += [Path(parent, name) for name in files if not name.startswith(".") and _is_picture(parent, name)]
    return sorted(found, key=natural)


def _is_picture(folder: str, name: str) -> bool:
    """Whether a file is one by its suffix, or begins like one: names lose their suffix, or get another behind it."""
    suffix = os.path.splitext(name)[1].lower()
    if suffix in PICTURE_SUFFIXES:
        return True
    if suffix in _OTHERS:
        return False
    path = os.path.join(folder, name)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, "rb") as file:
            start = file.read(16)
    except OSError:
        return False
    return start.startswith(_CERTAIN) or start[:4] == b"RIFF" and start[8:12] == b"WEBP"


# --- Files, bytes and PIL images ----------------------------------------------------------------------------

_lock = threading.Lock()
_readers = 0
_restore = ExitStack()


@contextmanager
def _quiet_pillow() -> Iterator[None]:
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
def _opened(source: Any) -> Iterator[tuple[Image.Image | np.ndarray, str]]:
    """Yield the image, not decoded yet (an array of a rare TIFF), and the name that error messages give it."""
    if isinstance(source, Image.Image):
        path = getattr(source, "filename", "")
        size = f"{source.size[0]} x {source.size[1]}"
        yield source, repr(os.fsdecode(path)) if path else f"The PIL image (mode {source.mode}, {size})"
    elif isinstance(source, (bytes, bytearray, memoryview)):
        name = f"The picture given as {type(source).__name__} ({memoryview(source).nbytes} bytes)"
        with io.BytesIO(bytes(source)) as file:
            yield _identified(file, name), name
    elif isinstance(source, (str, os.PathLike)):
        path = os.fsdecode(source)
        with _open_file(path) as file:
            yield _identified(file, repr(path)), repr(path)
    elif hasattr(source, "read"):
        path = getattr(source, "name", None)
        name = repr(path) if isinstance(path, str) else f"The picture given as {type(source).__name__}"
        yield _identified(_from_beginning(source, name), name), name
    else:
        raise PictureError(
            f"A picture cannot be made from {type(source).__name__} {repr(source)[:80]}. Give a path, the "
            "bytes of a file, a file object, a PIL image or a NumPy array."
        )


def _open_file(path: str) -> BinaryIO:
    name = repr(path)
    if path.startswith(("http://", "https://")):
        raise PictureError(f"{name} is a web address. Download the picture and give the file's path.")
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise PictureError(f"{name} is a folder, not a picture. Give one of the pictures in it.")
        if not stat.S_ISREG(mode):
            # Opening a pipe would wait for ever, reading /dev/zero would never end.
            raise PictureError(f"{name} is a pipe or a device, not a file. Save the picture to a file first.")
        return open(path, "rb")
    except FileNotFoundError as error:
        raise PictureError(f"{name} does not exist. Check its spelling{_looked_from(path)}.") from error
    except PermissionError as error:
        advice = "Change its rights or its folder's."
        raise PictureError(f"{name} may not be read: permission denied. {advice}") from error
    except PictureError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"{name} cannot be opened: {reason}. Check its path.") from error


def _looked_from(path: str | os.PathLike) -> str:
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
        with _decoding(name):
            data = file.read()
    if not isinstance(data, bytes):
        raise PictureError(f"{name} reads {type(data).__name__}. Give a file object that reads bytes.")
    return io.BytesIO(data)


def _identified(file: BinaryIO, name: str) -> Image.Image | np.ndarray:
    """Let Pillow read the headers; of a TIFF that it does not know, or reads wrongly, the array."""
    Image.init()
    try:
        formats = [kind for kind in _FORMATS if kind in Image.OPEN]
        if name.lower().endswith(".tga'"):  # which has no signature
            formats.append("TGA")
        with _decoding(name):
            image = Image.open(file, formats=formats)
    except PictureError as error:
        file.seek(0)
        start = file.read(32)
        if not start:
            raise PictureError(f"{name} is empty (0 bytes). Copy or download it again.") from error
        if start[4:8] == b"ftyp" and start[8:12] in _HEIC_BRANDS:
            raise PictureError(
                f"{name} is a HEIC picture, as iPhones take them. Save it as JPEG; or, in Python, install "
                "pillow-heif and call pillow_heif.register_heif_opener() first."
            ) from error
        if not isinstance(error.__cause__, UnidentifiedImageError):
            raise
        for signature, kind, layout, offset in _SIGNATURES:
            if start.startswith(signature):
                if kind == "TIFF":
                    return read_rare(file, name)
                if layout and len(start) >= offset + struct.calcsize(layout):
                    width, height = struct.unpack_from(layout, start, offset)
                    _check_size(width, height, name)
                raise PictureError(
                    f"{name} begins like a {kind} file, but is cut off, damaged or of a rare kind. {_AGAIN}"
                ) from error
        raise PictureError(
            f"{name} is not a picture that can be read here: it does not begin like JPEG, PNG, WebP, BMP, "
            "TIFF or GIF. Check that it is the right file, or save it as JPEG or PNG in a picture program."
        ) from error
    with _decoding(name):
        tags = getattr(image, "tag_v2", {})
        if tags.get(_REDUCED_TAG) in (1, 3) or _DNG_TAG in tags:
            raise PictureError(
                f"{name} is a camera's raw file: what can be read of it is a small preview. Save it as JPEG "
                "in a picture program."
            )
        if is_rare(image):
            return read_rare(file, name)
    return image


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Turn what Pillow raises into a PictureError."""
    try:
        yield
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError(f"{name} does not fit into this machine's memory. Shrink it.") from error
    except Exception as error:
        # On damaged files Pillow's readers raise nearly anything: OSError, SyntaxError, struct.error, ...
        raise PictureError(f"{name} is cut off or damaged ({error}). {_AGAIN}") from error


def _check_size(width: int, height: int, name: str) -> None:
    if width == 0 or height == 0:
        raise PictureError(f"{name} has no pixels: it is {width} wide, {height} high. Check how it was made.")


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where there is none or it cannot be read."""
    try:
        file: Any = getattr(image, "fp", None)  # a picture that was opened has one
        if image.format == "PNG" and getattr(image, "tile", None) and not _exif_after_pixels(file):
            exif = Image.Image.getexif(image)  # PNG's own `getexif` decodes the pixels to look behind them.
        else:
            exif = image.getexif()
        orientation = exif.get(_ORIENTATION_TAG, 1)
    except Exception:
        # Damaged metadata does not make the pixels unreadable; Pillow's parser raises nearly anything on it.
        return 1
    return orientation if orientation in _TURNS else 1


def _exif_after_pixels(file: BinaryIO) -> bool:
    """Whether an open PNG file holds metadata behind its pixels that could tell the orientation."""
    position = file.tell()
    try:
        file.seek(8)
        pixels_passed = False
        while True:
            head = file.read(8)
            if len(head) < 8 or head[4:] == b"IEND":
                return False
            (length,), kind = struct.unpack(">I", head[:4]), head[4:]
            start = file.read(min(length, 24))
            pixels_passed |= kind == b"IDAT"
            if pixels_passed and (kind == b"eXIf" or start.startswith(_PNG_KEYWORDS)):
                return True
            file.seek(length - len(start) + 4, os.SEEK_CUR)
    finally:
        file.seek(position)


def _rgb_image(image: Image.Image, name: str) -> Image.Image:
    """A loaded image of any mode as mode RGB."""
    if image.mode == "F" or image.mode.startswith("I"):
        samples = np.asarray(image)
        if image.mode == "F":
            gray = to_uint8(samples, name)
        else:
            # Mode I is 32 bits wide, but holds 16-bit samples where a file or a uint16 array was its source.
            low, high = samples.min(), samples.max()
            if low < 0 or high > 65535:
                raise PictureError(f"{name} has values from {low} to {high}; 16-bit gray is 0 to 65535. Save it so.")
            gray = (samples >> (used_bits(samples) - 8)).astype(np.uint8)
            if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC_TAG) == 0:  # white is 0; Pillow turns only 8 bits around
                gray = 255 - gray
        if isinstance(image.info.get("transparency"), int):
            gray[samples == image.info["transparency"]] = 255
        return Image.fromarray(gray).convert("RGB")
    with _decoding(name):
        try:
            if image.has_transparency_data:
                # Pillow leads from premultiplied gray to RGBA by way of LA only.
                return _on_white((image.convert("LA") if image.mode == "La" else image).convert("RGBA"))
            return image if image.mode == "RGB" else image.convert("RGB")
        except ValueError as error:
            raise PictureError(f"{name} has colors of mode {image.mode}: {error}. Save it as RGB.") from error


def _on_white(rgba: Image.Image) -> Image.Image:
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba)
    return white


# --- Arrays -------------------------------------------------------------------------------------------------


def _is_array(source: Any) -> bool:
    return hasattr(source, "__array__") and not isinstance(source, Image.Image)


def _as_array(source: Any) -> tuple[np.ndarray, str]:
    """The array and the name that error messages give it, after a look at its shape."""
    try:
        array = np.asarray(source)
    except Exception as error:  # Whatever another library's `__array__` raises, as for a tensor on a GPU.
        raise PictureError(f"The {type(source).__name__} cannot become a NumPy array: {error}") from error
    name = f"The picture array of shape {array.shape} and dtype {array.dtype}"
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] in (1, 3, 4)):
        if array.ndim == 4:
            advice = "Give the pictures of a batch one at a time."
        elif array.ndim == 3 and array.shape[0] in (1, 3, 4):
            advice = "Its channels seem to come first: use numpy.moveaxis(picture, 0, -1)."
        else:
            advice = "Bring it into one of these shapes."
        raise PictureError(f"{name} is not (H, W), (H, W, 1), (H, W, 3) or (H, W, 4). {advice}")
    _check_size(array.shape[1], array.shape[0], name)
    return array, name


def _rgb_from_array(source: Any) -> np.ndarray:
    array, name = _as_array(source)
    array = to_uint8(array, name)
    if array.ndim == 2:
        array = array[..., np.newaxis]
    if array.shape[2] == 4:
        return np.array(_on_white(Image.fromarray(np.ascontiguousarray(array))))
    return np.array(np.broadcast_to(array, (*array.shape[:2], 3)), order="C")
