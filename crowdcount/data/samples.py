"""Samples of light as 8 bits: wide integers by the bits that are used, floats by their range."""

from __future__ import annotations

import numpy as np

from crowdcount.errors import PictureError


def used_bits(samples: np.ndarray, most: int | None = None) -> int:
    """How many bits of light whole numbers hold, 8 to 16: as the file says, else by the highest of them.

    Cameras, drones and microscopes write 10, 11 or 12 bits into samples of 16, and few say so: taken for 16 bits their
    pictures are black.

    Args:
        samples: whole numbers from 0 to 65535.
        most: the highest value that there can be, where the file tells it. What a sample exceeds, and what all 16 bits
            would be, tells nothing.

    Example:
        >>> used_bits(np.array([0, 2008])), used_bits(np.array([0, 250])), used_bits(np.array([0, 65535]))
        (11, 8, 16)
        >>> used_bits(np.array([0, 250]), 4095)
        12
    """
    highest = int(samples.max())
    if most is not None and highest <= most < 65535:
        highest = most
    return max(8, highest.bit_length())


def scaled(samples: np.ndarray, notes: list[str], most: int | None = None) -> np.ndarray:
    """Samples of 16 bits as 0..255, by the bits that are used.

    Args:
        samples: whole numbers from 0 to 65535, of any shape.
        notes: gains a sentence where fewer than 16 bits are used: a rather dark picture of 16 bits looks the same.
        most: see `used_bits`.

    Example:
        >>> notes = []
        >>> scaled(np.array([0, 2048, 4095]), notes).tolist(), len(notes)
        ([0, 128, 255], 1)
    """
    bits = used_bits(samples, most)
    if bits < 16:
        notes.append(
            f"The picture has 16 bits a sample, of which {bits} are used: its light was scaled by these. If it is "
            "meant to be that dark, save it with 8 bits."
        )
    return (samples >> (bits - 8)).astype(np.uint8)


def to_uint8(array: np.ndarray, name: str, notes: list[str], most: int | None = None) -> np.ndarray:
    """An array's values as 0..255, by the rules that `load_picture` tells.

    Args:
        array: of any dtype and shape.
        name: how messages call it.
        notes: see `scaled`.
        most: see `used_bits`.

    Raises:
        PictureError: for values that are no light, with what to do.

    Example:
        >>> to_uint8(np.array([0, 2048, 4095], np.uint16), "a", []).tolist()
        [0, 128, 255]
    """
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array * np.uint8(255)
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        return scaled(array, notes, most)
    if array.dtype.kind not in "iuf":
        raise PictureError(f"{name} does not hold numbers of a picture. Convert it to uint8, 0 to 255.")
    low, high = array.min(), array.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise PictureError(f"{name} holds NaN or infinite values. Replace them, as with numpy.nan_to_num.")
    if low < 0 or high > 255:
        raise PictureError(
            f"{name} has values from {low} to {high}. Scale them to 0..255, or clip them with numpy.clip."
        )
    if array.dtype.kind != "f":
        return array.astype(np.uint8)
    if 1 < high < 2:
        # Most likely 0..1 with an overshoot, as after resizing. Taken for 0..255 it would be black: nobody.
        raise PictureError(
            f"{name} has values up to {high}: neither 0..1 nor 0..255. Use numpy.clip(picture, 0, 1), or "
            "multiply by 255."
        )
    return np.rint(array * 255 if high <= 1 else array).astype(np.uint8)
