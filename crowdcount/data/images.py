"""Any picture a person has -> one uint8 RGB array, or one clear error.

Everything after this module sees the same thing: uint8, shape (height, width, 3), RGB, upright, at the size
it was taken. A picture that cannot be read in full is refused, never counted in part: half a picture gives
half a count.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from crowdcount.data.exif import TURNS, orientation_of
from crowdcount.data.jpeg import ends_in_nothing, is_cut_off, is_off
from crowdcount.data.opening import (
    AVIF_BRANDS,
    HEIC_BRANDS,
    Source,
    check_size,
    decoding,
    looked_from,
    opened,
    quiet_pillow,
)
from crowdcount.data.overlay_files import is_overlay
from crowdcount.data.png import is_wide, wide_light
from crowdcount.data.samples import scaled, to_uint8
from crowdcount.data.tiff import RareTiff, check_page
from crowdcount.data.tiff_colors import MOST_TAGS, stated_most
from crowdcount.data.unwritten import is_unwritten
from crowdcount.errors import PictureError
from crowdcount.files import natural

#: Width times height above which a file is taken for a decompression bomb. The largest phone cameras take 200
#: megapixels; a picture of this size needs about 2 GB while it is read.
MAX_PIXELS = 250_000_000

#: What is noted of a JPEG in whose middle bytes are others than they were.
DAMAGED = (
    "The file seems damaged: its data is not as long as its picture. Parts may be shifted or of other colors: look at "
    "it, and copy or download it again."
)

#: Names that `list_pictures` takes for pictures. Those that cannot be read (HEIC, JPEG XL, raw files of cameras) are
#: among them, so that a folder gives an error for each, and not a total that silently lacks them.
PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".mpo", ".insp", ".png", ".apng", ".webp", ".bmp", ".dib", ".tif"}
    | {".tiff", ".gif", ".avif", ".avifs", ".jp2", ".j2k", ".j2c", ".jpf", ".jpx", ".pbm", ".ppm", ".pgm", ".pnm"}
    | {".pfm", ".tga", ".heic", ".heics", ".heif", ".hif", ".jxl", ".psd", ".exr"}
    | {".dng", ".crw", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2", ".x3f", ".mrw"}
)
# Signatures that no text and no other kind of file begins with; and suffixes of what lies beside pictures.
_CERTAIN: tuple[bytes, ...] = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
)
_CERTAIN += (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"\0\0\0\x0cJXL ", b"8BPS\0\1")
# Folders that a store on the network, a Mac or Windows makes beside pictures: small copies, and what was thrown away.
_NOT_MEANT = frozenset({"@eaDir", "#recycle", "$RECYCLE.BIN", "__MACOSX"})
# The lengths of a BMP file's second header.
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
_OTHERS = frozenset(
    {".txt", ".csv", ".json", ".html", ".xml", ".mat", ".md", ".pdf", ".mp4", ".mov", ".avi", ".mkv", ".zip", ".py"}
    | {".h5", ".npy", ".npz"}
)

# Tags of TIFF 6.0.
_WIDTH_TAG, _HEIGHT_TAG, _PHOTOMETRIC_TAG, _DESCRIPTION_TAG = 256, 257, 262, 270


def load_picture(
    source: Source, *, max_pixels: int = MAX_PIXELS, page: int | None = None, notes: list[str] | None = None
) -> np.ndarray:
    """Read a picture as an upright RGB array at its own size.

    Files may be JPEG, PNG, WebP, BMP, TIFF (largest page), GIF (first frame), and what else Pillow's AVIF, JPEG
    2000, PPM and TGA readers take. EXIF orientation is applied. Gray becomes three equal channels, palettes and CMYK
    become RGB, transparent parts are laid on white (unless all is transparent), wide samples are scaled by the bits
    that they use.

    Args:
        source: a path, the bytes of a file, a binary file object (read from its beginning, left open), a PIL
            image (its current frame; lazily opened ones are read), or a NumPy array of shape (H, W),
            (H, W, 1), (H, W, 3) in RGB order, or (H, W, 4) in RGBA order. The array's values by dtype: uint8
            as they are; uint16 scaled by the bits that they use, 8 to 16; bool as black and white; other integers must
            lie in 0..255; floats must all lie in 0..1 (then multiplied by 255) or in 0..255 with a largest value
            of at least 2. Anything that NumPy can convert to an array will do.
        max_pixels: width times height above which a file or PIL image is refused. Arrays never are: they are
            in memory already.
        page: which page of a TIFF, or frame of an animation, from 1. None: the largest page, or the first frame.
        notes: gains a sentence for each choice that was made for the caller: a page or frame among several, the light
            of 16-bit samples that use fewer bits, the colors of what is transparent everywhere, a PIL image that is
            turned though somebody may have turned it already.

    Returns:
        A new, contiguous uint8 array of shape (height, width, 3), RGB.

    Raises:
        PictureError: if the picture is missing, empty, cut off, damaged, too large, of size zero, no picture
            at all, without such a page, or an array with values or a shape outside the rules above. The message
            names the file.

    Reference:
        EXIF 2.32 (CIPA DC-008), tag 0x0112, for the orientations.

    Example:
        >>> import numpy as np
        >>> gray = np.array([[0.0, 0.5, 1.0]])
        >>> load_picture(gray)[0].tolist()
        [[0, 0, 0], [128, 128, 128], [255, 255, 255]]
    """
    notes = [] if notes is None else notes
    if _is_array(source):
        if page is not None:
            check_page(page, 1, "The array")
        return _rgb_from_array(source, notes)
    with quiet_pillow(), opened(source, page, notes) as (image, name):
        width, height = image.size
        check_size(width, height, name)
        if width * height > max_pixels:
            raise PictureError(
                f"{name} has {width} x {height} = {width * height:,} pixels, more than the limit of "
                f"{max_pixels:,}. Shrink it, or, if you trust where it comes from, raise the limit in Python: "
                f"crowdcount.load_picture(..., max_pixels={width * height})."
            )
        if isinstance(image, RareTiff):
            rgb, turn = Image.fromarray(_rgb_from_array(image.array(notes), notes)), TURNS.get(image.orientation)
            return np.array(rgb if turn is None else rgb.transpose(turn))
        file = getattr(image, "fp", None)  # which Pillow lets go of as it loads the pixels
        if file is not None and is_unwritten(file, image.format):
            raise PictureError(
                f"{name} is cut off: it ends in zeros, where its data should be. Copy or download it again."
            )
        with decoding(name):
            wide = wide_light(image, notes) if is_wide(image) else None
            image.load()
        if image.format in ("JPEG", "MPO") and file is not None:
            _check_whole(image, file, name, notes)
        # Only now: Pillow turns a TIFF upright as it loads it, and a PNG may hold its EXIF after the pixels.
        turn = TURNS.get(orientation_of(image))
        if turn is not None and isinstance(source, Image.Image) and not isinstance(source, ImageFile):
            # One that a caller made of a file's, as by `rotate` or `resize`, keeps the file's EXIF.
            notes.append(
                "The PIL image was turned by the orientation in its EXIF: if it was upright already, take that out "
                "(PIL.ImageOps.exif_transpose turns and takes it out)."
            )
        rgb = rgb_image(image if wide is None else wide, name, notes)
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
    with quiet_pillow(), opened(source, None, []) as (image, name):
        width, height = image.size
        check_size(width, height, name)
        if isinstance(image, RareTiff):
            return (width, height) if image.orientation >= 5 else (height, width)
        if image.format == "TIFF" and getattr(image, "tile", None):
            # Of an unread TIFF, some versions of Pillow give the upright size, some the stored one, as here.
            tags = image.tag_v2  # type: ignore[attr-defined]  # TIFF pictures have them
            width, height = tags[_WIDTH_TAG], tags[_HEIGHT_TAG]
        return (width, height) if orientation_of(image) >= 5 else (height, width)


def list_pictures(folder: str | os.PathLike, recursive: bool = False) -> list[Path]:
    """The pictures in a folder, by their suffix, sorted by path; numbers in names by their size.

    Hidden files and folders (names that start with a dot, among them macOS's `._` companions) are left out, and so are
    folders of small copies and of what was thrown away, as `@eaDir` and `$RECYCLE.BIN`, and the overlays that a count
    has left there. A link that leads nowhere is listed, so that reading it reports it; links to folders are not
    followed.

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
            advice = f"Check its spelling{looked_from(folder)}."
            raise PictureError(f"{place} does not exist. {advice}") from error
        if isinstance(error, NotADirectoryError):
            raise PictureError(f"{place} is a file, not a folder. Give the folder that holds it.") from error
        raise PictureError(f"{place} cannot be read: {error.strerror}. Check its permissions.") from error

    found = []
    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if recursive and is_searched(name)]
        found += [Path(parent, name) for name in files if not name.startswith(".") and _is_picture(parent, name)]
    return sorted(found, key=natural)


def is_searched(name: str) -> bool:
    """Whether pictures are looked for in a subfolder of this name: not in hidden ones, nor in those of small copies.

    Example:
        >>> is_searched("day 2"), is_searched(".thumbnails"), is_searched("@eaDir")
        (True, False, False)
    """
    return not name.startswith(".") and name not in _NOT_MEANT


def _is_picture(folder: str, name: str) -> bool:
    """Whether a file is one by its suffix, or begins like one: names lose their suffix, or get another behind it."""
    suffix = os.path.splitext(name)[1].lower()
    path = os.path.join(folder, name)
    if suffix in PICTURE_SUFFIXES:
        return not is_overlay(path)
    if suffix in _OTHERS:
        return False
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, "rb") as file:
            start = file.read(18)
    except OSError:
        return False
    return (
        start.startswith(_CERTAIN)
        or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")
        or (start[4:8] == b"ftyp" and start[8:12] in (*AVIF_BRANDS, *HEIC_BRANDS))
        or (start[:2] == b"BM" and start[6:10] == bytes(4) and int.from_bytes(start[14:], "little") in _BMP_HEADERS)
    )


# --- Pixels -------------------------------------------------------------------------------------------------


def rgb_image(image: Image.Image, name: str, notes: list[str]) -> Image.Image:
    """A loaded image of any mode as mode RGB."""
    if image.mode == "F" or image.mode.startswith("I"):
        samples = np.asarray(image)
        if image.mode == "F":
            gray = to_uint8(samples, name, notes)
        else:
            # Mode I is 32 bits wide, but holds 16-bit samples where a file or a uint16 array was its source.
            low, high = samples.min(), samples.max()
            if low < 0 or high > 65535:
                raise PictureError(f"{name} has values from {low} to {high}; 16-bit gray is 0 to 65535. Save it so.")
            tags = getattr(image, "tag_v2", {})
            most = stated_most([tags[tag] for tag in MOST_TAGS if tag in tags], tags.get(_DESCRIPTION_TAG))
            gray = scaled(samples, notes, most)
            if tags.get(_PHOTOMETRIC_TAG) == 0:  # white is 0; Pillow turns only 8 bits around
                gray = 255 - gray
        if isinstance(image.info.get("transparency"), int):
            gray[samples == image.info["transparency"]] = 255
        return Image.fromarray(gray).convert("RGB")
    with decoding(name):
        try:
            if image.has_transparency_data:
                # Pillow leads from premultiplied gray to RGBA by way of LA only.
                return _on_white((image.convert("LA") if image.mode == "La" else image).convert("RGBA"), notes)
            return image if image.mode == "RGB" else image.convert("RGB")
        except ValueError as error:
            raise PictureError(f"{name} has colors of mode {image.mode}: {error}. Save it as RGB.") from error


def _check_whole(image: Image.Image, file: Any, name: str, notes: list[str]) -> None:
    """Refuse a JPEG in which gray stands for what is missing, and tell damage: Pillow decodes both in silence."""
    width, height = image.size
    with decoding(name):
        if not file.closed:
            file.seek(0)
            data = file.read()
        elif (path := getattr(image, "filename", "")) and os.path.isfile(path):
            data = Path(path).read_bytes()
        else:
            return
        if ends_in_nothing(np.asarray(image.crop((0, max(0, height - 8), width, height)))) and is_cut_off(data):
            raise PictureError(
                f"{name} is cut off or damaged: where its end should be there is nothing but gray. Copy or download it "
                "again."
            )
        if is_off(data):  # some cameras write a few bytes too many: no reason to refuse all that they take
            notes.append(DAMAGED)


def _on_white(rgba: Image.Image, notes: list[str]) -> Image.Image:
    """The colors on white where they are transparent; as they are, where all are: then nobody meant the alpha."""
    if np.asarray(rgba.getchannel("A")).max() <= 1:
        colors = rgba.convert("RGB")
        if np.ptp(np.asarray(colors), axis=(0, 1)).any():
            notes.append("All of it is transparent: its colors are counted as if it were not.")
            return colors
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba)
    return white


# --- Arrays -------------------------------------------------------------------------------------------------


def _is_array(source: Any) -> bool:
    return hasattr(source, "__array__") and not isinstance(source, (Image.Image, str, bytes))  # NumPy's texts are both


def _as_array(source: Any) -> tuple[np.ndarray, str]:
    """The array and the name that error messages give it, after a look at its shape."""
    try:
        array = np.asarray(source)
    except Exception as error:  # Whatever another library's `__array__` raises, as for a tensor on a GPU.
        raise PictureError(f"The {type(source).__name__} cannot become a NumPy array: {error}") from error
    name = f"The picture array of shape {array.shape} and dtype {array.dtype}"
    if np.ma.is_masked(source):
        raise PictureError(f"{name} has masked values. Say what stands in their place, as by filled(0).")
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] in (1, 3, 4)):
        if array.ndim == 4:
            advice = "Give the pictures of a batch one at a time."
        elif array.ndim == 3 and array.shape[0] in (1, 3, 4):
            advice = "Its channels seem to come first: use numpy.moveaxis(picture, 0, -1)."
        else:
            advice = "Bring it into one of these shapes."
        raise PictureError(f"{name} is not (H, W), (H, W, 1), (H, W, 3) or (H, W, 4). {advice}")
    check_size(array.shape[1], array.shape[0], name)
    return array, name


def _rgb_from_array(source: Any, notes: list[str]) -> np.ndarray:
    array, name = _as_array(source)
    if array.ndim == 3 and array.shape[2] == 4 and array.dtype.kind == "u" and array.dtype.itemsize == 2:
        # Light and alpha each use bits of their own: an alpha of 65535 makes no dark picture of 12 bits of light.
        parts = to_uint8(array[..., :3], name, notes), to_uint8(array[..., 3:], name, [])
        array = np.concatenate(parts, axis=-1)
    else:
        array = to_uint8(array, name, notes)
    if array.ndim == 2:
        array = array[..., np.newaxis]
    if array.shape[2] == 4:
        return np.array(_on_white(Image.fromarray(np.ascontiguousarray(array)), notes))
    return np.array(np.broadcast_to(array, (*array.shape[:2], 3)), order="C")
