"""TIFF files beyond what Pillow reads: floats in color, 16 bits in color, planes apart, odd numbers of bands, pages."""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image

from crowdcount.data.tiff_colors import ColorTags, light_of
from crowdcount.data.tiff_pieces import can_unpack, unpacked
from crowdcount.errors import PictureError, first_line

if TYPE_CHECKING:
    from tifffile import TiffFrame, TiffPage, TiffPageSeries

# TIFF 6.0.
_REDUCED_TAG, _BITS_TAG, _PHOTOMETRIC_TAG, _ORIENTATION_TAG, _SAMPLES_TAG, _FORMAT_TAG = 254, 258, 262, 274, 277, 339
_SIGNED, _MOSAIC = 2, 32803
_MOST_PAGES = 64
# Four bands of the largest picture that is read.
_MOST_SAMPLES = 1_000_000_000


def is_rare(image: Image.Image) -> bool:
    """Whether Pillow knows the page but would read it wrongly: wide samples in color, and signed ones of 8 bits."""
    tags = getattr(image, "tag_v2", {})
    most = max(tags.get(_BITS_TAG, (8,)))
    signed = most == 8 and _SIGNED in tags.get(_FORMAT_TAG, ())
    return image.format == "TIFF" and (most > 8 and tags.get(_SAMPLES_TAG, 1) > 1 or signed)


def is_reduced(image: Image.Image) -> bool:
    """Whether a TIFF's page is a small version of another picture, as it says itself."""
    return bool(getattr(image, "tag_v2", {}).get(_REDUCED_TAG, 0) & 1)


def has_full_page(image: Image.Image) -> bool:
    """Whether a TIFF with a small version as first page has another that is no such and no raw mosaic of a camera."""
    found = False
    for index in range(1, min(getattr(image, "n_frames", 1), _MOST_PAGES)):
        image.seek(index)
        found |= not is_reduced(image) and image.tag_v2.get(_PHOTOMETRIC_TAG) != _MOSAIC  # type: ignore[attr-defined]
    image.seek(0)
    return found


class RareTiff:
    """A page of a TIFF whose pixels are not read yet: what it says of its size is looked at first.

    Args:
        file: the open file, which stays open.
        name: how messages call it.
        page: which page, from 1; None: the largest.
        notes: gains a sentence where the file has other pages.

    Raises:
        PictureError: with the reason, where it cannot be read.
    """

    size: tuple[int, int]
    """Width and height as they are stored, as Pillow's images have them."""
    orientation: int
    """How it is to be turned, see `crowdcount.data.exif.TURNS`."""

    def __init__(self, file: BinaryIO, name: str, page: int | None, notes: list[str]):
        import tifffile

        self.name = name
        logging.getLogger("tifffile").disabled = True  # what is wrong is told by the error
        with _decoding(name):
            _check_directories(file)
            file.seek(0)
            tiff = tifffile.TiffFile(file)
            if page is None:
                largest = max(tiff.series, key=lambda each: int(np.prod(each.shape[-3:])))
                if len(tiff.pages) > 1:
                    notes.append(_of_pages(len(tiff.pages), largest.keyframe.index))
                self._pages: TiffPageSeries | TiffPage | TiffFrame = largest
            else:
                check_page(page, len(tiff.pages), name)
                self._pages = tiff.pages[page - 1]
            _check_samples(self._pages)
            # Of a series and of a frame, the page whose tags hold for them.
            described = self._pages.keyframe
            if described is None:
                raise ValueError("no pages")
            self._described: TiffPage = described
            series = isinstance(self._pages, tifffile.TiffPageSeries)
            self._page: TiffPage | TiffFrame = described if series else self._pages  # type: ignore[assignment]
            stored = np.broadcast_to(np.uint8(0), self._pages.shape)
            height, width = _picture_in(stored, self._described.samplesperpixel, name).shape[:2]
            self.size = width, height
            tag = self._described.tags.get(_ORIENTATION_TAG)
            # As elsewhere, what is no orientation turns nothing.
            self.orientation = tag.value if tag is not None and tag.value in range(1, 9) else 1
            self._colors = ColorTags.of(described)

    def array(self, notes: list[str]) -> np.ndarray:
        """The pixels as an array that `load_picture` takes: uint8 (H, W), (H, W, 3) or (H, W, 4).

        Args:
            notes: see `crowdcount.data.samples.scaled`.

        Raises:
            PictureError: with the reason, where they cannot be read.
        """
        with _decoding(self.name):
            array = unpacked(self._page, self._described) if can_unpack(self._described) else self._pages.asarray()
            if not array.size:
                raise ValueError("no samples")
        return light_of(_picture_in(array, self._described.samplesperpixel, self.name), self._colors, self.name, notes)


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    try:
        yield
    except PictureError:
        raise
    except Exception as error:  # tifffile raises whatever its decoders met
        reason = first_line(error)
        # What tifffile asks for, where it has no decoder of its own; of newer Pythons it also uses theirs.
        if "imagecodecs" in reason or isinstance(error, ImportError):
            raise PictureError(
                f"{name} is stored in a way that needs another package ({reason}): pip install imagecodecs. Or save it "
                "without compression, or as PNG."
            ) from error
        raise PictureError(
            f"{name} begins like a TIFF file, but is cut off, damaged or of a rare kind ({reason}). Copy or "
            "download it again, or open it in a picture program and save it as JPEG or PNG."
        ) from error


def _check_directories(file: BinaryIO) -> None:
    """Raise a ValueError where the pages' lists of tags do not fit into the file side by side.

    In a damaged file they can be thousands, long and one across the other: tifffile reads each of their tags.
    """
    length = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    is_big = len(head) == 16 and struct.unpack(f"{order}H", head[2:4]) == (43,)
    # Bytes of a tag; of the number of tags; of the place of the next list.
    tag, number, place = (20, "Q", "Q") if is_big else (12, "H", "I")
    at = head[8:16] if is_big else head[4:8]
    left = length
    while len(at) == struct.calcsize(place) and (start := struct.unpack(order + place, at)[0]):
        file.seek(start)
        counted = file.read(struct.calcsize(number))
        if len(counted) < struct.calcsize(number):
            return  # tifffile ends here, too
        tags = tag * struct.unpack(order + number, counted)[0]
        left -= tags + len(counted) + struct.calcsize(place)
        if left < 0:
            raise ValueError(f"lists of tags are longer than the file of {length} bytes")
        file.seek(tags, os.SEEK_CUR)
        at = file.read(struct.calcsize(place))


def _check_samples(pages: TiffPageSeries | TiffPage | TiffFrame) -> None:
    """Raise a ValueError for too many samples, or where places of some are missing: tifffile makes those black."""
    import tifffile

    if not 0 < int(np.prod(pages.shape)) <= _MOST_SAMPLES:
        raise ValueError(f"an array of shape {pages.shape}")
    for page in pages if isinstance(pages, tifffile.TiffPageSeries) else [pages]:
        if page is None or page.is_contiguous:
            continue
        pieces = int(np.prod(page.chunked))
        if pieces > len(page.dataoffsets):
            raise ValueError(f"{len(page.dataoffsets)} of {pieces} pieces")


def _picture_in(array: np.ndarray, bands: int, name: str) -> np.ndarray:
    """A TIFF's array, of whatever axes, as (H, W) or (H, W, bands); of several pages or planes of gray the first."""
    array = np.squeeze(array)
    while array.ndim > 3:  # a stack in time or depth: the first
        array = array[0]
    if array.ndim == 3 and array.shape[-1] != bands:
        array = np.moveaxis(array, 0, -1) if array.shape[0] in (3, 4, bands) else array[0]  # planes apart
    if array.ndim not in (2, 3):
        raise PictureError(f"{name} holds an array of shape {array.shape}, no picture. Save it as PNG or JPEG.")
    return array


def turn_to_page(image: Image.Image, name: str, page: int | None, notes: list[str]) -> None:
    """Turn to a page; where none is named, to the one with the most pixels: the first of some files is a thumbnail.

    Animations, and pages of one size, stay at their first.

    Args:
        image: whose pages, or frames, they are.
        name: how messages call it.
        page: which page, from 1; None: the largest.
        notes: gains a sentence where the largest was taken of several.

    Raises:
        PictureError: where there is no such page.
    """
    if page is not None:
        check_page(page, getattr(image, "n_frames", 1), name)
        image.seek(page - 1)
        return
    pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
    if pages == 1:
        return
    sizes = []
    for index in range(min(pages, _MOST_PAGES)):
        image.seek(index)
        sizes.append(image.size[0] * image.size[1])
    image.seek(sizes.index(max(sizes)))
    notes.append(_of_pages(pages, sizes.index(max(sizes))))


def check_page(page: int, pages: int, name: str) -> None:
    """Raise a PictureError where there is no such page."""
    if not isinstance(page, Integral) or isinstance(page, bool):
        raise PictureError(f"page must be a whole number, 1 or more. Received: page={page!r}")
    if not 1 <= page <= pages:
        raise PictureError(f"{name} has {pages} page{'s' * (pages != 1)}. Name one of them. Received: page={page}")


def _of_pages(pages: int, index: int | tuple[int, ...]) -> str:
    taken = f"page {index + 1}" if isinstance(index, int) else "one of them"
    return f"The file has {pages} pages, and {taken}, the largest, was taken: page (--page) names another."
