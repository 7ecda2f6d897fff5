"""Pictures of every kind come out as the same uint8 RGB array; broken ones give one clear error each."""

import contextlib
import importlib.util
import io
import os
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image, ImageOps, features

from crowdcount import draw_crowd
from crowdcount.data.images import PICTURE_SUFFIXES, list_pictures, load_picture, picture_size
from crowdcount.errors import PictureError

ORIENTATION = 0x0112

# What a camera does to an upright picture when it stores it, in NumPy, to be independent of Pillow's
# transpositions. EXIF 2.32 tells on which side of the upright picture the stored row 0 and column 0 lie.
STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: np.rot90(upright, 2),
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright, 1),  # The stored picture must be turned clockwise to be upright.
    7: lambda upright: np.rot90(upright, 2).swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


def blocks(rng: np.random.Generator, rows: int = 3, columns: int = 5) -> np.ndarray:
    """Blocks of 16 x 16 pixels of one color each: JPEG keeps their middles nearly as they are."""
    return rng.integers(0, 256, (rows, columns, 3), dtype=np.uint8).repeat(16, axis=0).repeat(16, axis=1)


def encode(picture: np.ndarray | Image.Image, kind: str, **options) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(np.ascontiguousarray(picture))
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif(orientation: object) -> Image.Exif:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return tags


def png(width: int, height: int, depth: int, color: int, rows: bytes, before=(), after=()) -> bytes:
    """A PNG file by its specification, for what Pillow does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    chunks = [(b"IHDR", header), *before, (b"IDAT", zlib.compress(rows)), *after, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks)


def gray_rgb(gray: np.ndarray) -> np.ndarray:
    return np.stack([gray] * 3, axis=-1)


@pytest.fixture
def picture(rng) -> np.ndarray:
    return rng.integers(0, 256, (23, 37, 3), dtype=np.uint8)


# --- Formats and sources ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("WEBP", {"lossless": True}),
        ("PPM", {}),
    ],
)
def test_lossless_formats_keep_every_pixel(picture, tmp_path, kind, options):
    path = tmp_path / f"picture.{kind.lower()}"
    path.write_bytes(encode(picture, kind, **options))
    loaded = load_picture(path)
    assert loaded.dtype == np.uint8
    assert loaded.flags.c_contiguous and loaded.flags.writeable
    np.testing.assert_array_equal(loaded, picture)
    assert picture_size(path) == (23, 37)


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_keep_colors_and_places(rng, kind, options):
    upright = blocks(rng)
    loaded = load_picture(encode(upright, kind, quality=95, **options))
    assert loaded.shape == upright.shape
    middles = np.abs(loaded.astype(int) - upright)[8::16, 8::16]
    assert middles.max() <= 12


def test_gif_gives_its_first_frame(rng):
    frames = [Image.fromarray(blocks(rng)).quantize(32) for _ in range(3)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(load_picture(data), np.array(frames[0].convert("RGB")))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_says_that_it_is_one(rng, kind):
    frames = [Image.fromarray(blocks(rng)) for _ in range(3)]
    moving, still = encode(frames[0], kind, save_all=True, append_images=frames[1:]), encode(frames[0], kind)
    told, nothing, chosen = [], [], []
    first = load_picture(moving, notes=told)
    assert len(told) == 1 and "animation" in told[0] and "first frame" in told[0]
    np.testing.assert_array_equal(first, load_picture(moving, page=1, notes=chosen))
    load_picture(still, notes=nothing)
    assert nothing == chosen == []


def test_an_image_made_of_one_with_exif_tells_that_it_is_turned(tmp_path, picture):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture).save(tmp_path / "phone.jpg", exif=exif, quality=95)
    by_file, by_hand = [], []
    with Image.open(tmp_path / "phone.jpg") as phone:
        upright = load_picture(phone, notes=by_file)
        load_picture(phone.resize((40, 30)), notes=by_hand)
        assert by_file == [] and len(by_hand) == 1 and "exif_transpose" in by_hand[0]
        transposed = ImageOps.exif_transpose(phone)
    np.testing.assert_array_equal(load_picture(transposed, notes=by_file), upright)
    assert by_file == []


def test_masked_values_are_no_pixels(picture):
    masked = np.ma.array(picture, mask=False)
    np.testing.assert_array_equal(load_picture(masked), picture)
    masked[3, 4, 0] = np.ma.masked
    with pytest.raises(PictureError, match=r"masked values.*filled\(0\)"):
        load_picture(masked)


def test_tiff_gives_its_first_page(picture):
    pages = [Image.fromarray(picture), Image.new("RGB", (10, 10))]
    data = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    np.testing.assert_array_equal(load_picture(data), picture)


class Unseekable(io.RawIOBase):
    """A pipe: it can be read once, from front to end."""

    def __init__(self, data: bytes):
        self.data = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self.data.readinto(buffer)

    def seek(self, *_):
        raise io.UnsupportedOperation("seek")


def test_every_kind_of_source_gives_the_same(picture, tmp_path):
    path = tmp_path / "picture.png"
    data = encode(picture, "PNG")
    path.write_bytes(data)
    moved = io.BytesIO(data)
    moved.seek(0, io.SEEK_END)
    with open(path, "rb") as file, Image.open(path) as lazy:
        sources = [path, str(path), data, bytearray(data), memoryview(data), moved, file, lazy]
        sources += [Unseekable(data), Image.fromarray(picture), picture, picture.astype(np.int64)]
        sources += [np.asfortranarray(picture), picture[::-1].copy()[::-1]]
        for source in sources:
            np.testing.assert_array_equal(load_picture(source), picture)
        for source in sources:
            if not isinstance(source, Unseekable):
                assert picture_size(source) == (23, 37)
        assert not file.closed and not moved.closed
    assert picture_size(Unseekable(data)) == (23, 37)


def test_the_name_of_a_file_does_not_matter(picture, tmp_path):
    path = tmp_path / "really a png.jpg"
    path.write_bytes(encode(picture, "PNG"))
    np.testing.assert_array_equal(load_picture(path), picture)


def test_the_result_is_a_copy(picture):
    before = picture.copy()
    load_picture(picture)[:] = 0
    image = Image.fromarray(picture)
    load_picture(image)[:] = 0
    np.testing.assert_array_equal(picture, before)
    np.testing.assert_array_equal(np.array(image), before)


@given(height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_small_pictures_keep_their_size(height, width, seed):
    small = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    for source in (small, Image.fromarray(small), encode(small, "PNG")):
        np.testing.assert_array_equal(load_picture(source), small)


# --- Orientation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_all_orientations_come_out_upright(picture, tmp_path, orientation, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(STORED[orientation](picture), kind, exif=exif(orientation), **options)
    np.testing.assert_array_equal(load_picture(data), picture)
    assert picture_size(data) == (23, 37)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations_of_jpeg_come_out_upright(rng, orientation):
    upright = blocks(rng)
    data = encode(STORED[orientation](upright), "JPEG", quality=95, exif=exif(orientation))
    assert np.abs(load_picture(data).astype(int) - upright)[8::16, 8::16].max() <= 12
    assert picture_size(data) == upright.shape[:2]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("loaded", [False, True])
def test_pil_images_are_turned_upright_and_left_alone(picture, orientation, kind, loaded):
    image = Image.open(io.BytesIO(encode(STORED[orientation](picture), kind, exif=exif(orientation))))
    if loaded:
        image.load()
    assert picture_size(image) == (23, 37)
    np.testing.assert_array_equal(load_picture(image), picture)
    np.testing.assert_array_equal(load_picture(image), picture)
    assert picture_size(image) == (23, 37)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_exif_behind_a_pngs_pixels_counts_too(picture, orientation):
    stored = STORED[orientation](picture)
    rows = b"".join(b"\0" + row.tobytes() for row in stored)
    tags = exif(orientation).tobytes().removeprefix(b"Exif\0\0")
    data = png(stored.shape[1], stored.shape[0], 8, 2, rows, after=[(b"eXIf", tags)])
    assert picture_size(data) == (23, 37)
    np.testing.assert_array_equal(load_picture(data), picture)


@pytest.mark.parametrize("orientation", [0, 9, 700])
def test_orientations_that_do_not_exist_change_nothing(picture, orientation):
    data = encode(picture, "PNG", exif=exif(orientation))
    np.testing.assert_array_equal(load_picture(data), picture)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("junk", [b"x", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff"])
def test_damaged_exif_does_not_stop_the_picture(picture, kind, junk):
    data = encode(picture, kind, exif=b"Exif\0\0" + junk)
    assert load_picture(data).shape == picture.shape
    assert picture_size(data) == (23, 37)


def test_picture_size_does_not_decode(picture, tmp_path, monkeypatch):
    files = []
    for kind in ("JPEG", "PNG", "BMP", "TIFF", "GIF"):
        files.append(tmp_path / f"picture.{kind}")
        files[-1].write_bytes(encode(picture.repeat(8, 0), kind))
    monkeypatch.setattr(Image.core, "new", lambda *_: pytest.fail("pixels were decoded"))
    for path in files:
        assert picture_size(path) == (184, 37)


def test_picture_size_is_the_loaded_size_of_real_pictures(shanghaitech_root):
    paths = [path for path in list_pictures(shanghaitech_root, recursive=True) if "train" in str(path)]
    sizes = {picture_size(path) for path in paths}
    assert len(sizes) > 100
    for path in paths[:: len(paths) // 12]:
        loaded = load_picture(path)
        assert loaded.shape == (*picture_size(path), 3)
        assert loaded.std() > 1


# --- Color modes --------------------------------------------------------------------------------------------


def test_gray_becomes_three_equal_channels(picture):
    gray = picture[..., 0]
    for source in (gray, gray[..., None], Image.fromarray(gray), encode(gray, "PNG"), encode(gray, "TIFF")):
        np.testing.assert_array_equal(load_picture(source), gray_rgb(gray))


def test_one_bit_becomes_black_and_white(picture):
    bits = picture[..., 0] > 127
    image = Image.fromarray(bits)
    assert image.mode == "1"
    for source in (bits, image, encode(image, "PNG"), encode(image, "TIFF"), encode(image, "BMP")):
        np.testing.assert_array_equal(load_picture(source), gray_rgb(np.where(bits, 255, 0)))


def test_palette_gives_its_colors(picture):
    image = Image.fromarray(picture).quantize(40)
    colors = np.array(image.getpalette()).reshape(-1, 3)[np.array(image)]
    for source in (image, *(encode(image, kind) for kind in ("PNG", "GIF", "TIFF", "BMP"))):
        np.testing.assert_array_equal(load_picture(source), colors)


@pytest.mark.parametrize("transparency", ["index", "bytes"])
def test_transparent_palette_colors_become_white(transparency):
    indices = np.arange(12, dtype=np.uint8).reshape(3, 4) % 3
    image = Image.fromarray(indices)
    image.putpalette([10, 20, 30, 200, 0, 0, 0, 200, 0])
    data = encode(image, "PNG", transparency=1 if transparency == "index" else bytes([255, 0, 255]))
    expected = np.array([[10, 20, 30], [255, 255, 255], [0, 200, 0]])[indices]
    np.testing.assert_array_equal(load_picture(data), expected)


def test_alpha_is_laid_on_white(picture, rng):
    alpha = rng.integers(0, 256, picture.shape[:2], dtype=np.uint8)
    rgba = np.dstack([picture, alpha])
    weight = alpha[..., None] / 255
    expected = picture * weight + 255 * (1 - weight)
    for source in (rgba, Image.fromarray(rgba), encode(rgba, "PNG"), encode(rgba, "TIFF"), rgba / 255.0):
        assert np.abs(load_picture(source) - expected).max() <= 1
    np.testing.assert_array_equal(load_picture(np.dstack([picture, np.full_like(alpha, 255)])), picture)
    empty = np.full((*alpha.shape, 3), 7, np.uint8)
    assert (load_picture(np.dstack([empty, np.zeros_like(alpha)])) == 255).all()


@pytest.mark.parametrize("alpha", [0, 1])
def test_what_is_transparent_everywhere_keeps_its_colors_and_says_so(picture, alpha):
    """As BMP and TGA files are whose fourth channel nobody filled."""
    rgba = np.dstack([picture, np.full(picture.shape[:2], alpha, np.uint8)])
    for source in (rgba, Image.fromarray(rgba), encode(rgba, "PNG")):
        notes = []
        np.testing.assert_array_equal(load_picture(source, notes=notes), picture)
        assert "transparent" in notes[0]


@pytest.mark.parametrize("alpha", [255, 65535])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_wide_light_and_its_alpha_use_bits_of_their_own(picture, bits, alpha):
    picture = np.where(np.arange(3) == 0, np.maximum(picture, 1), picture)
    picture[0, 0] = 255
    light = (picture.astype(np.uint16) << bits - 8) + (1 << bits - 8) - 1
    rgba = np.dstack([light, np.full(picture.shape[:2], alpha, np.uint16)])
    assert np.abs(load_picture(rgba) - picture.astype(int)).max() <= 1


@pytest.mark.parametrize("kept", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_whose_end_is_marked_too_early_is_refused(tmp_path, mode, kept):
    """libjpeg fills up with gray and says nothing: half a crowd would be counted."""
    scene = draw_crowd(40, size=(240, 320), seed=3).picture
    path = tmp_path / "a.jpg"
    Image.fromarray(scene).convert(mode).save(path)
    data = path.read_bytes()
    load_picture(path)
    path.write_bytes(data[: round(kept * len(data))] + b"\xff\xd9")
    for source in (path, path.read_bytes(), Image.open(path)):
        with pytest.raises(PictureError, match="cut off"):
            load_picture(source)


def test_a_jpeg_that_is_damaged_in_the_middle_is_told(tmp_path):
    """libjpeg goes on behind a bad block of a disk, shifted and in other colors, and says nothing."""
    path = tmp_path / "a.jpg"
    scene = draw_crowd(40, size=(240, 320), seed=3).picture
    for options in ({}, {"quality": 95, "subsampling": 0}, {"optimize": True}):
        Image.fromarray(scene).save(path, **options)
        data = path.read_bytes()
        for filled_up in (data, data[:-2] + b"\xff\xff\xd9", data[:-2] + bytes(20) + data[-2:], data + b"more"):
            notes = []
            load_picture(filled_up, notes=notes)
            assert notes == []
        told = 0
        for start in range(2000, 8000, 1000):
            path.write_bytes(data[:start] + bytes(512) + data[start + 512 :])
            for source in (path, path.read_bytes(), Image.open(path)):
                notes = []
                load_picture(source, notes=notes)
                told += any("seems damaged" in note for note in notes)
        assert told >= 9  # of 18: data can be as long as its picture by chance
    Image.fromarray(scene).save(path, restart_marker_rows=1)
    data = path.read_bytes()
    at = len(data) // 2
    for damaged in (data, data[:at] + bytes(2000) + data[at + 2000 :]):  # some rows, and the marks between them
        notes = []
        load_picture(damaged, notes=notes)
        assert bool(notes) == (damaged is not data)


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_a_file_that_was_written_in_part_is_refused(tmp_path, kind):
    """A copy that was stopped has its length already, and zeros to its end; what lies behind the data is nothing."""
    path = tmp_path / "a.picture"
    Image.fromarray(draw_crowd(40, size=(240, 320), seed=3).picture).save(path, kind, quality=90)
    data = path.read_bytes()
    whole = load_picture(path)
    assert (load_picture(data + bytes(4096)) == whole).all()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    for source in (path, path.read_bytes(), Image.open(path)):
        with pytest.raises(PictureError, match="cut off: it ends in zeros"):
            load_picture(source)
    blank = encode(np.zeros((800, 1200, 3), np.uint8), kind)
    assert not load_picture(blank).any()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_gray_jpeg_is_whole(mode, options):
    for size in ((64, 48), (65, 3)):
        gray = Image.new("RGB", size, (128, 128, 128)).convert(mode)
        assert load_picture(encode(gray, "JPEG", **options)).shape == (size[1], size[0], 3)


def test_gray_with_alpha_is_laid_on_white(picture):
    gray, alpha = picture[..., 0], picture[..., 1]
    image = Image.merge("LA", [Image.fromarray(gray), Image.fromarray(alpha)])
    expected = gray_rgb(gray * (alpha / 255) + 255 * (1 - alpha / 255))
    for source in (image, encode(image, "PNG"), encode(image, "TIFF")):
        assert np.abs(load_picture(source) - expected).max() <= 1


@pytest.mark.parametrize("mode", ["La", "RGBa"])
def test_premultiplied_alpha_is_divided_out(mode):
    straight = Image.new("LA", (3, 2), (100, 128))
    if mode == "RGBa":
        straight = straight.convert("RGBA")
    expected = 100 * 128 / 255 + 255 * 127 / 255
    assert np.abs(load_picture(straight.convert(mode)) - expected).max() <= 2


def test_one_transparent_color_becomes_white(picture):
    data = encode(picture, "PNG", transparency=tuple(int(value) for value in picture[4, 5]))
    loaded = load_picture(data)
    assert (loaded[4, 5] == 255).all()
    assert (loaded == picture).all(axis=-1).sum() >= picture.shape[0] * picture.shape[1] - 2


def cmyk_and_rgb(rng) -> tuple[Image.Image, np.ndarray]:
    """Inks as one multiplies light with them: an ink of 255 lets none of its color through."""
    inks = np.concatenate([blocks(rng), blocks(rng)[..., :1]], axis=-1)
    through = 1 - inks / 255
    image = Image.merge("CMYK", [Image.fromarray(inks[..., i].copy()) for i in range(4)])
    return image, 255 * through[..., :3] * through[..., 3:]


def test_cmyk_becomes_rgb_and_not_its_negative(rng):
    image, expected = cmyk_and_rgb(rng)
    for source in (image, encode(image, "TIFF")):
        assert np.abs(load_picture(source) - expected).max() <= 2
    jpeg = encode(image, "JPEG", quality=100)
    assert b"Adobe" in jpeg  # The marker that goes with inks stored inverted.
    assert np.abs(load_picture(jpeg) - expected)[8::16, 8::16].max() <= 8


def test_other_color_modes_come_back(picture):
    image = Image.fromarray(picture)
    for mode, tolerance in (("YCbCr", 3), ("HSV", 12)):
        assert np.abs(load_picture(image.convert(mode)).astype(int) - picture).max() <= tolerance


def test_sixteen_bit_gray_is_scaled_and_not_clipped():
    wide = np.linspace(0, 65535, 23 * 37).round().astype(np.uint16).reshape(23, 37)
    expected = gray_rgb(wide // 256)
    assert len(np.unique(expected)) == 256
    swapped = wide.astype(">u2")
    wide_image = Image.frombytes("I;16", (37, 23), wide.astype("<u2").tobytes())
    swapped_image = Image.frombytes("I;16B", (37, 23), swapped.tobytes())
    int_image = Image.fromarray(wide.astype(np.int32))
    assert int_image.mode == "I"
    rows = b"".join(b"\0" + row.tobytes() for row in swapped)
    sources = [wide, swapped, wide[..., None], wide_image, swapped_image, int_image]
    sources += [encode(wide_image, "PNG"), encode(wide_image, "TIFF"), encode(int_image, "TIFF")]
    sources += [png(37, 23, 16, 0, rows)]
    for source in sources:
        np.testing.assert_array_equal(load_picture(source), expected)


def test_eight_bit_samples_in_a_wide_mode_stay_as_they_are(picture):
    gray = picture[..., 0]
    wide = Image.fromarray(gray).convert("I")
    narrow = Image.fromarray(gray.astype(np.uint16))
    sources = (wide, encode(wide, "TIFF"), gray.astype(np.int32), narrow, encode(narrow, "PNG"), encode(narrow, "TIFF"))
    for source in sources:
        np.testing.assert_array_equal(load_picture(source), gray_rgb(gray))


def tiff(bits: int, photometric: int, width: int, height: int, samples: bytes) -> bytes:
    """An uncompressed gray TIFF (TIFF 6.0, section 4), which Pillow cannot write of every kind."""
    tags = {
        256: width,
        257: height,
        258: bits,
        259: 1,
        262: photometric,
        273: 0,
        277: 1,
        278: height,
        279: len(samples),
    }
    tags[273] = 8 + 2 + 12 * len(tags) + 4  # where the samples begin
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4) + samples


def test_gray_tiffs_of_other_kinds(rng):
    gray = rng.integers(0, 256, (20, 34), dtype=np.uint8)
    wide = gray.astype("<u2") * 257
    np.testing.assert_array_equal(load_picture(tiff(16, 1, 34, 20, wide.tobytes())), gray_rgb(gray))
    for bits, samples in ((8, gray.tobytes()), (16, wide.tobytes())):  # photometric 0: white is 0
        np.testing.assert_array_equal(load_picture(tiff(bits, 0, 34, 20, samples)), gray_rgb(255 - gray))
    high, low = (16 * gray.astype(int)).reshape(-1, 2).T  # two samples of 12 bits in three bytes
    packed = np.stack([high >> 4, (high & 15) << 4 | low >> 8, low & 255], axis=1).astype(np.uint8)
    np.testing.assert_array_equal(load_picture(tiff(12, 1, 34, 20, packed.tobytes())), gray_rgb(gray))


def test_sixteen_bit_color_keeps_its_high_bytes(picture, rng):
    wide = picture.astype(np.uint16) * 256 + rng.integers(0, 256, picture.shape).astype(np.uint16)
    rows = b"".join(b"\0" + row.tobytes() for row in wide.astype(">u2"))
    for source in (wide, png(37, 23, 16, 2, rows)):
        np.testing.assert_array_equal(load_picture(source), picture)


def test_a_transparent_value_of_sixteen_bit_gray_becomes_white():
    rows = b"\0" + struct.pack(">3H", 1000, 40000, 1001)
    data = png(3, 1, 16, 0, rows, before=[(b"tRNS", struct.pack(">H", 1000))])
    assert load_picture(data)[0, :, 0].tolist() == [255, 40000 // 256, 1001 // 256]


def test_float_tiff_follows_the_rule_of_float_arrays(picture):
    gray = picture[..., 0]
    for values in (gray.astype(np.float32), gray.astype(np.float32) / 255):
        np.testing.assert_array_equal(load_picture(encode(values, "TIFF")), gray_rgb(gray))


# --- Arrays -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("scale", [1, 255])
def test_floats_of_either_scale_keep_all_256_values(dtype, scale):
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    floats = (values / 255 * scale).astype(dtype)
    np.testing.assert_array_equal(load_picture(floats), gray_rgb(values))


@pytest.mark.parametrize("value", [0.0, 1.0, 255.0])
def test_blank_floats_stay_blank(value):
    assert (load_picture(np.full((4, 4, 3), value)) == (255 if value else 0)).all()


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full((4, 5), np.nan), "NaN"),
        (np.array([[0.0, np.inf]]), "infinite"),
        (np.array([[0.0, -np.inf]]), "infinite"),
        (np.array([[-0.01, 0.5]]), "-0.01"),
        (np.array([[0.0, 255.5]]), "255.5"),
        (np.array([[0.0, 1.02]]), "1.02"),
        (np.array([[-1, 5]]), "-1"),
        (np.array([[0, 256]]), "256"),
        (np.zeros((4, 5), complex), "complex128"),
        (np.array([["a"]]), "<U1"),
        (np.zeros((4,)), "(4,)"),
        (np.zeros((4, 5, 2)), "(4, 5, 2)"),
        (np.zeros((4, 5, 5)), "(4, 5, 5)"),
        (np.zeros((3, 40, 50)), "moveaxis"),
        (np.zeros((1, 40, 50, 3)), "one at a time"),
        (np.zeros((0, 5, 3)), "no pixels"),
        (np.zeros((5, 0)), "no pixels"),
    ],
)
def test_arrays_outside_the_rules_are_refused_with_what_is_wrong(array, words):
    with pytest.raises(PictureError) as caught:
        load_picture(array)
    assert words in str(caught.value)
    assert str(array.shape) in str(caught.value) and str(array.dtype) in str(caught.value)


def test_anything_that_becomes_an_array_will_do(picture):
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            return picture

    class Elsewhere:
        def __array__(self, dtype=None, copy=None):
            raise TypeError("on a GPU")

    np.testing.assert_array_equal(load_picture(Tensor()), picture)
    with pytest.raises(PictureError, match="Elsewhere.*on a GPU"):
        load_picture(Elsewhere())


# --- Errors -------------------------------------------------------------------------------------------------


def refused(source, *words: str, read=load_picture, **options) -> str:
    with pytest.raises(PictureError) as caught:
        read(source, **options)
    message = str(caught.value)
    for word in words:
        assert word in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("read", [load_picture, picture_size])
def test_what_is_no_picture_is_refused_by_name_and_reason(tmp_path, read):
    files = {
        "empty.jpg": (b"", "is empty"),
        "text.png": (b"not a picture at all, only text", "is not a picture"),
        "page.html": (b"<!DOCTYPE html><html></html>", "is a web page"),
        "zeros.bmp": (bytes(1000), "is not a picture"),
        "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50), "Save it as JPEG"),
        "stub.jpg": (b"\xff\xd8\xff\xe0", "cut off"),
        "stub.png": (b"\x89PNG\r\n\x1a\n", "cut off"),
        "draw.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "is not a picture"),
        "zero.png": (png(0, 5, 8, 2, b""), "0 wide, 5 high"),
        "zero.gif": (b"GIF89a" + struct.pack("<HH", 7, 0) + b"\0\0\0;", "7 wide, 0 high"),
    }
    for name, (data, words) in files.items():
        (tmp_path / name).write_bytes(data)
        refused(tmp_path / name, repr(str(tmp_path / name)), words, read=read)
        refused(str(tmp_path / name), repr(str(tmp_path / name)), words, read=read)
        refused(data, f"bytes ({len(data)} bytes)", words, read=read)
        with open(tmp_path / name, "rb") as file:
            refused(file, repr(str(tmp_path / name)), words, read=read)
        refused(Unseekable(data), "Unseekable", words, read=read)
    with open(tmp_path / "new.jpg", "wb") as file:  # for writing alone
        refused(file, "new.jpg", "cut off or damaged", read=read)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\n", "a pointer of Git LFS.*git lfs pull"),
        (b"<!DOCTYPE html><title>404</title>", "a web page.*Download"),
        (b"<html lang='de'>", "a web page"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"PK\3\4\x14\0", "an archive"),
        (b"\x1f\x8b\x08\0", "a compressed file"),
        (b"\x1aE\xdf\xa3\x9fB\x86", "a video.*crowdcount video"),
        (b"RIFF\0\0\1\0AVI LIST", "a video"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2", "a video"),
        (b"\0\0\0\x14ftypqt  \0\0\2\0", "a video"),
    ],
)
def test_what_people_take_for_a_picture_is_named(tmp_path, data, kind):
    (tmp_path / "a.jpg").write_bytes(data + bytes(40))
    for source in (tmp_path / "a.jpg", data + bytes(40)):
        with pytest.raises(PictureError, match=f"{kind}"):
            load_picture(source)


@pytest.mark.parametrize("read", [load_picture, picture_size])
def test_paths_that_lead_to_no_file_are_refused_by_name_and_reason(tmp_path, read, monkeypatch):
    (tmp_path / "file.jpg").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe.jpg")
    refused(tmp_path, repr(str(tmp_path)), "is a folder", read=read)
    refused(tmp_path / "none.jpg", "none.jpg'", "does not exist", read=read)
    refused(tmp_path / "file.jpg" / "a.jpg", "a.jpg'", "cannot be opened", read=read)
    refused(tmp_path / "pipe.jpg", "pipe.jpg'", "is a pipe", read=read)
    refused(tmp_path / ("n" * 300 + ".jpg"), "nnn.jpg'", "too long", read=read)
    refused("zero\0.jpg", r"'zero\x00.jpg'", "cannot be opened", read=read)
    for address in ("https://example.org/a.jpg", "HTTP://example.org/a.jpg", "s3://crowds/a.jpg", "file:///a.jpg"):
        refused(address, repr(address), "Download", read=read)
    monkeypatch.chdir(tmp_path)
    refused("here.jpg", "'here.jpg'", repr(str(tmp_path)), read=read)


def test_files_without_permission_are_refused_by_name(tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(encode(np.zeros((4, 4, 3), np.uint8), "PNG"))
    path.chmod(0)
    root = os.geteuid() == 0  # Root may read everything: be somebody else for a moment.
    if root:
        os.seteuid(65534)
    try:
        refused(path, repr(str(path)), "permission denied", "rights")
        refused(path, repr(str(path)), "permission denied", read=picture_size)
    finally:
        if root:
            os.seteuid(0)


def test_other_things_are_refused_by_type():
    closed = io.BytesIO()
    closed.close()
    refused(None, "NoneType", "Give a path")
    refused(7, "int 7")
    refused([[1, 2]], "list [[1, 2]]")
    refused(closed, "BytesIO", "closed")
    refused(io.StringIO("text"), "StringIO", "binary mode")
    refused(Image.new("RGB", (0, 3)), "0 x 3", "no pixels")
    with Image.open(io.BytesIO(encode(np.zeros((4, 4, 3), np.uint8), "PNG"))) as image:
        pass
    image.close()
    refused(image, "PIL image", "4 x 4")


CUT = [
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("PNG", {}),
    ("WEBP", {}),
    ("BMP", {}),
    ("GIF", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", {"compression": "tiff_adobe_deflate"}),
]


@pytest.mark.parametrize(("kind", "options"), CUT)
def test_a_cut_off_file_is_refused_wherever_it_is_cut(picture, tmp_path, kind, options):
    image = Image.fromarray(picture)
    data = encode(image.quantize(64) if kind == "GIF" else image, kind, **options)
    whole = load_picture(data)
    path = tmp_path / "cut.img"
    refusals = 0
    cuts = range(1, len(data), max(1, len(data) // 60))
    for cut in cuts:
        path.write_bytes(data[:cut])
        try:
            # What lacks no pixel may pass (as a PNG without its end mark), but never a picture with a hole.
            np.testing.assert_array_equal(load_picture(path), whole)
        except PictureError as error:
            assert repr(str(path)) in str(error)
            assert cut < 8 or "again" in str(error)
            refusals += 1
    assert refusals >= len(cuts) - 2


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_random_damage_gives_a_picture_or_a_picture_error(data):
    kind, options = data.draw(st.sampled_from(CUT))
    picture = np.arange(12 * 9 * 3, dtype=np.uint8).reshape(12, 9, 3)
    file = bytearray(encode(picture, kind, **options))
    for place in data.draw(st.lists(st.integers(0, len(file) - 1), min_size=1, max_size=6)):
        file[place] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for read in (lambda source: load_picture(source, max_pixels=100_000), picture_size):
            with contextlib.suppress(PictureError):
                read(bytes(file))


@pytest.mark.parametrize("tags", [{254: 1}, {50706: b"\1\4\0\0"}])
def test_a_raw_files_preview_is_not_taken_for_the_picture(picture, tags):
    refused(encode(picture, "TIFF", tiffinfo=tags), "raw file", "Save it as JPEG")


def test_a_canon_raw_file_is_told_and_not_counted_beside_its_jpeg():
    """By its first bytes: its preview is no reduced version by its tags."""
    entries = [(256, 4, 2), (257, 4, 1), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 200), (278, 4, 1), (279, 4, 2)]
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    raw = b"II*\0\x10\0\0\0CR\2\0" + bytes(4) + struct.pack("<H", len(entries)) + directory + bytes(4)
    raw = raw.ljust(200, b"\0") + b"\x10\x20"
    refused(raw, "raw file", "Save it as JPEG")
    refused(raw[:50], "raw file", "Save it as JPEG")
    assert load_picture(raw.replace(b"CR\2", b"\0\0\0")).shape == (1, 2, 3)


# --- Large pictures -----------------------------------------------------------------------------------------


def test_decompression_bombs_are_refused_before_they_are_decoded(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png(60000, 50000, 8, 2, b""))
    message = refused(path, repr(str(path)), "60000 x 50000", "3,000,000,000", "250,000,000", "Shrink")
    assert "in Python" in message and "max_pixels=3000000000" in message
    assert picture_size(path) == (50000, 60000)
    with Image.open(io.BytesIO(encode(np.zeros((20, 20, 3), np.uint8), "PNG"))) as image:
        refused(image, "20 x 20", max_pixels=399)
        assert load_picture(image, max_pixels=400).shape == (20, 20, 3)


def test_a_panorama_above_pillows_own_limit_is_read():
    """Pillow warns above 89 and refuses above 179 megapixels; 1 bit a pixel keeps this test small."""
    limit = Image.MAX_IMAGE_PIXELS
    row = b"\0" + b"\xaa" * 2500
    data = png(20000, 9100, 1, 0, row * 9100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert picture_size(data) == (9100, 20000)
        with pytest.raises(PictureError, match="181,999,999"):
            load_picture(data, max_pixels=181_999_999)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_the_default_limit_lets_the_largest_phone_pictures_pass(monkeypatch):
    loads = []
    monkeypatch.setattr(Image.Image, "load", lambda image: loads.append(image.size))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: loads.append(image.size))
    monkeypatch.setattr("crowdcount.data.images.rgb_image", lambda image, name, notes: Image.new("RGB", (1, 1)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_picture(png(16320, 12240, 1, 0, b"\0"))
    assert (16320, 12240) in loads


# --- Pillow's global state ----------------------------------------------------------------------------------


def test_no_warning_of_pillows_reaches_the_caller_and_others_do(picture):
    noisy = [
        encode(picture, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05" + b"\xff" * 30),
        encode(Image.fromarray(picture).quantize(8), "PNG", transparency=bytes(8)),
        png(12000, 8000, 1, 0, b"\0" * 1501 * 8000),
    ]
    with warnings.catch_warnings(record=True) as direct:
        warnings.simplefilter("always")
        for data in noisy:
            image = Image.open(io.BytesIO(data))
            image.getexif()
    assert len(direct) >= 2  # Else this test proves nothing.
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for data in noisy[:2]:
            load_picture(data)
        for data in noisy:
            picture_size(data)
        assert not seen
        warnings.warn("somebody else's", stacklevel=1)
        assert len(seen) == 1


def test_warnings_of_others_pass_while_a_picture_is_read(picture):
    class Chatty(io.BytesIO):
        def read(self, *size):
            warnings.warn("not Pillow's", stacklevel=1)
            return super().read(*size)

    with pytest.warns(UserWarning, match="not Pillow's"):
        load_picture(Chatty(encode(picture, "PNG")))


def test_threads_read_together_and_leave_pillow_as_it_was(picture):
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    data = encode(picture, "PNG")
    wrong = []

    def work():
        for _ in range(20):
            if not np.array_equal(load_picture(data), picture):
                wrong.append("pixels")
            try:
                load_picture(data[:100])
                wrong.append("no error")
            except PictureError:
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert limit == Image.MAX_IMAGE_PIXELS
    assert list(warnings.filters) == filters


# --- Folders ------------------------------------------------------------------------------------------------


def test_list_pictures_finds_pictures_only_and_sorted(tmp_path):
    wanted = ["B.JPG", "a.jpeg", "c.png", "d.webp", "e.bmp", "f.TIFF", "g.tif", "h.gif", "i.heic"]
    for name in [*wanted, "notes.txt", "points.csv", "jpg", "._a.jpeg", ".hidden.png", "map.h5"]:
        (tmp_path / name).touch()
    for folder in (
        "sub",
        "folder.jpg",
        ".cache",
        "@eaDir",
        "$RECYCLE.BIN",
        "__MACOSX",
    ):  # the last: small copies, trash
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "z.png").touch()
    flat = list_pictures(tmp_path)
    assert flat == sorted(tmp_path / name for name in wanted)
    assert list_pictures(str(tmp_path)) == flat
    deep = list_pictures(tmp_path, recursive=True)
    assert deep == sorted([*flat, tmp_path / "sub" / "z.png", tmp_path / "folder.jpg" / "z.png"])
    assert list_pictures(tmp_path / "sub") == [tmp_path / "sub" / "z.png"]


def test_numbers_in_names_follow_their_size(tmp_path):
    names = ["day 2/IMG_9.jpg", "day 10/IMG_1.jpg", "IMG_32.jpg", "IMG_303.jpg", "IMG_0303.jpg", "7.jpg", "noon.jpg"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in list_pictures(tmp_path, recursive=True)]
    wanted = ["7.jpg", "IMG_32.jpg", "IMG_0303.jpg", "IMG_303.jpg", "day 2/IMG_9.jpg", "day 10/IMG_1.jpg", "noon.jpg"]
    assert found == wanted


def test_list_pictures_of_a_folder_without_pictures_is_empty(tmp_path):
    assert list_pictures(tmp_path) == []


def test_list_pictures_does_not_hide_broken_links(tmp_path):
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    assert list_pictures(tmp_path) == [tmp_path / "gone.jpg"]
    refused(tmp_path / "gone.jpg", "gone.jpg'", "does not exist")


def test_list_pictures_refuses_what_is_no_folder(tmp_path):
    (tmp_path / "a.jpg").touch()
    refused(tmp_path / "none", "none'", "does not exist", read=list_pictures)
    refused(tmp_path / "a.jpg", "a.jpg'", "not a folder", read=list_pictures)


def test_every_listed_suffix_is_one_that_pillow_reads_or_heic():
    known = {suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    # Told one by one rather than left out of a total: see PICTURE_SUFFIXES.
    optional = {".heic", ".heif", ".hif", ".jxl", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2"}
    optional |= {".insp", ".mpo", ".pjpeg", ".avifs", ".heics", ".psd", ".exr", ".crw", ".x3f", ".mrw"} | (
        set() if features.check("avif") else {".avif"}
    )
    assert PICTURE_SUFFIXES - optional <= known
    assert all(Path("x" + suffix.lower()).suffix == suffix for suffix in PICTURE_SUFFIXES)


@pytest.mark.parametrize("bits", [8, 9, 10, 12, 13, 15, 16])
def test_wide_samples_are_scaled_by_the_bits_that_they_use(tmp_path, rng, bits):
    """Cameras, drones and microscopes write 10 to 15 bits of light into samples of 16."""
    light = rng.integers(0, 256, (20, 30), dtype=np.uint8)
    light[0, 0] = 255
    samples = (light.astype(np.uint16) << (bits - 8)) | (2 ** (bits - 8) - 1)
    for name in ("a.png", "a.tif"):
        Image.fromarray(samples).save(tmp_path / name)
        np.testing.assert_array_equal(load_picture(tmp_path / name), gray_rgb(light))
    notes = []
    np.testing.assert_array_equal(load_picture(samples, notes=notes), gray_rgb(light))
    assert [f"of which {bits} are used" in note for note in notes] == [True] * (bits < 16)


@pytest.mark.parametrize("bits", [8, 12, 15, 16])
@pytest.mark.parametrize("opaque", [None, "by the same bits", "by 16 bits"])
@pytest.mark.parametrize("bands", [1, 3])
def test_png_in_color_or_with_transparency_is_scaled_so_too(tmp_path, rng, bits, opaque, bands):
    if bands == 1 and opaque is None:
        return  # Pillow reads it: above
    light = rng.integers(0, 256, (20, 30, bands), dtype=np.uint8)
    light[0, 0] = 255
    wide = light.astype(np.uint16) << (bits - 8)
    if opaque is not None:
        most = 65535 if opaque == "by 16 bits" else 2**bits - 1
        seen = np.where(np.arange(30) < 20, most, 0).astype(np.uint16)
        wide = np.concatenate([wide, np.broadcast_to(seen[:, None], (20, 30, 1))], axis=-1)
        light[:, 20:] = 255
    path, color = tmp_path / "a.png", (0 if bands == 1 else 2) + (0 if opaque is None else 4)
    path.write_bytes(png(30, 20, 16, color, b"".join(b"\0" + row.tobytes() for row in wide.astype(">u2"))))
    with Image.open(path) as image:
        for source in (path, path.read_bytes(), image):
            notes = []
            expected = np.broadcast_to(light, (20, 30, 3))
            np.testing.assert_array_equal(load_picture(source, notes=notes), expected)
            assert [f"of which {bits} are used" in note for note in notes] == [True] * (bits < 16)


@pytest.mark.parametrize("band", ["gray", "color"])
@pytest.mark.parametrize("tag", [281, 341, 270])
def test_a_tiff_can_say_how_bright_its_samples_may_be(tmp_path, rng, band, tag):
    """The scene is dark: its highest value would make it four times as bright."""
    tifffile = pytest.importorskip("tifffile")
    light = rng.integers(0, 64, (20, 30) if band == "gray" else (20, 30, 3), dtype=np.uint8)
    value = '<OME><Pixels SignificantBits="12"/></OME>' if tag == 270 else 4095
    options = {"description": value} if tag == 270 else {"extratags": [(tag, "H", 1, value, False)]}
    kind = "minisblack" if band == "gray" else "rgb"
    tifffile.imwrite(tmp_path / "a.tif", light.astype(np.uint16) << 4, photometric=kind, metadata=None, **options)
    notes = []
    np.testing.assert_array_equal(
        load_picture(tmp_path / "a.tif", notes=notes), light if light.ndim > 2 else gray_rgb(light)
    )
    assert len(notes) == 1 and "of which 12 are used" in notes[0]


# Type, number and bytes of a tag's value.
WRONG_VALUES = {
    "two numbers": (3, 2, struct.pack("<HH", 1, 2)),
    "none": (3, 0, b""),
    "text": (2, 4, b"abc\0"),
    "not a number": (11, 1, struct.pack("<f", float("nan"))),
    "one half": (12, 2, struct.pack("<dd", 1.0, 0.5)),
    "over nothing": (5, 1, struct.pack("<II", 1, 0)),
    "bytes": (7, 4, b"\1\2\3\4"),
    "a high number": (3, 1, struct.pack("<H", 257)),
    "the highest": (4, 1, b"\xff" * 4),
}


@pytest.mark.parametrize("value", WRONG_VALUES)
@pytest.mark.parametrize("kind", ["gray", "four wide bands"])
def test_a_tiffs_tags_that_hold_something_else(rng, kind, value):
    """Each tag in turn: the picture is read all the same, of the size that is told before, or refused."""
    sound = encode(rng.integers(0, 256, (16, 24), np.uint8), "TIFF")
    if kind != "gray":
        tifffile = pytest.importorskip("tifffile")
        file, bands = io.BytesIO(), rng.integers(0, 65536, (16, 24, 4)).astype(np.uint16)
        extra = {"extrasamples": ["unassalpha"], "extratags": [(281, "H", 1, 4095, True), (274, "H", 1, 6, True)]}
        tifffile.imwrite(file, bands, photometric="rgb", metadata=None, **extra)
        sound = file.getvalue()
    load_picture(sound)
    code, number, content = WRONG_VALUES[value]
    (start,) = struct.unpack("<I", sound[4:8])
    (tags,) = struct.unpack("<H", sound[start : start + 2])
    for at in range(start + 2, start + 2 + 12 * tags, 12):
        place = content.ljust(4, b"\0") if len(content) <= 4 else struct.pack("<I", len(sound))
        entry = sound[at : at + 2] + struct.pack("<HI", code, number) + place
        damaged = sound[:at] + entry + sound[at + 12 :] + content
        with contextlib.suppress(PictureError):
            assert load_picture(damaged, max_pixels=1_000_000).shape[:2] == picture_size(damaged)


@pytest.mark.parametrize("kind", ["float", "sixteen", "planes", "two bands"])
def test_tiffs_that_pillow_does_not_know(tmp_path, rng, kind):
    tifffile = pytest.importorskip("tifffile")
    light = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    light[0, 0] = 255
    wide = light.astype(np.uint16) * 257
    path = tmp_path / "rare.tif"
    if kind == "float":
        tifffile.imwrite(path, (light / 255).astype(np.float32), photometric="rgb")
    elif kind == "sixteen":
        tifffile.imwrite(path, wide, photometric="rgb")
    elif kind == "planes":
        tifffile.imwrite(path, np.moveaxis(wide, -1, 0), photometric="rgb", planarconfig="separate")
    else:
        tifffile.imwrite(path, wide[..., :2], photometric="minisblack", planarconfig="contig")
        light = np.repeat(light[..., :1], 3, axis=2)
    np.testing.assert_array_equal(load_picture(path), light)
    assert picture_size(path) == (20, 30)
    with pytest.raises(PictureError, match="more than the limit"):
        load_picture(path, max_pixels=599)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(PictureError, match="rare.tif"):
        load_picture(path)


@pytest.mark.parametrize("orientation", STORED)
def test_wide_tiffs_are_turned_upright(tmp_path, rng, orientation):
    tifffile = pytest.importorskip("tifffile")
    light = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    stored = np.ascontiguousarray(STORED[orientation](light)).astype(np.uint16) * 257
    tags = [(ORIENTATION, "H", 1, orientation, True)]
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", extratags=tags)
    np.testing.assert_array_equal(load_picture(tmp_path / "a.tif"), light)
    assert picture_size(tmp_path / "a.tif") == (20, 30)


def test_bands_of_wide_tiffs_are_what_their_tags_say(tmp_path, rng):
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "bands.tif"
    light = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    light[0, 0] = 255
    wide = light.astype(np.uint16) * 257
    seen = np.where(np.arange(30) < 20, 65535, 0).astype(np.uint16)[:, None] * np.ones((20, 1, 1), np.uint16)
    on_white = np.where(seen > 0, light, 255)
    for kind, first in (("unassalpha", wide), ("assocalpha", np.where(seen > 0, wide, 0))):
        tifffile.imwrite(path, np.concatenate([first, seen], axis=-1), photometric="rgb", extrasamples=[kind])
        np.testing.assert_array_equal(load_picture(path), on_white)
    # Near infrared, as drones add it, is neither color nor transparency.
    tifffile.imwrite(path, np.concatenate([wide, seen], axis=-1), photometric="rgb", extrasamples=["unspecified"])
    np.testing.assert_array_equal(load_picture(path), light)
    inks = np.concatenate([65535 - wide, np.zeros_like(seen)], axis=-1)
    tifffile.imwrite(path, inks, photometric="separated")
    np.testing.assert_array_equal(load_picture(path), light)
    tifffile.imwrite(path, light.astype(np.int16) << 4, photometric="rgb")
    np.testing.assert_array_equal(load_picture(path), light)
    tifffile.imwrite(path, wide, photometric="cielab")
    refused(path, "bands.tif'", "holds CIELab", "Save it as RGB")
    tifffile.imwrite(
        path, light[..., 0].astype(np.int16).astype(np.int8)
    )  # negative ones; Pillow takes them for bright
    refused(path, "bands.tif'", "has values from -128")
    tifffile.imwrite(path, np.zeros((20, 30, 3), np.float32), photometric="rgb", compression="zlib")
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tiff.pages[0].tags["Compression"].overwrite(50001)  # WebP
    if importlib.util.find_spec("imagecodecs") is None:
        refused(path, "bands.tif'", "needs another package", "pip install imagecodecs", read=load_picture)


@pytest.mark.parametrize("tile", [None, (16, 32)])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("differences", [False, True])
def test_wide_tiffs_packed_with_lzw(tmp_path, rng, tile, order, apart, differences):
    """As GDAL and Photoshop write them: tifffile asks for another package there."""
    tifffile = pytest.importorskip("tifffile")
    light = rng.integers(0, 256, (40, 70, 3), dtype=np.uint8)
    light[0, 0] = 255
    wide = light.astype(np.uint16) * 257
    if apart:
        wide = np.ascontiguousarray(np.moveaxis(wide, -1, 0))
    options = {"rowsperstrip": 16} if tile is None else {"tile": tile}
    options |= {"planarconfig": "separate" if apart else "contig", "predictor": differences}
    path = tmp_path / "packed.tif"
    tifffile.imwrite(path, wide, photometric="rgb", byteorder=order, compression="zlib", **options)
    # The same pieces, packed anew by Pillow, as gray pixels of one row each.
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        page, begins, sizes = tiff.pages[0], [], []
        for begin, size in zip(page.dataoffsets, page.databytecounts):
            tiff.filehandle.seek(begin)
            plain = np.frombuffer(zlib.decompress(tiff.filehandle.read(size)), np.uint8)
            with tifffile.TiffFile(io.BytesIO(encode(plain[None], "TIFF", compression="tiff_lzw"))) as other:
                (offset,), (length,) = other.pages[0].dataoffsets, other.pages[0].databytecounts
                other.filehandle.seek(offset)
                packed = other.filehandle.read(length)
            begins.append(tiff.filehandle.seek(0, os.SEEK_END) or tiff.filehandle.tell())
            sizes.append(len(packed))
            tiff.filehandle.write(packed)
        where, counts = ("StripOffsets", "StripByteCounts") if tile is None else ("TileOffsets", "TileByteCounts")
        for tag, values in ((where, begins), (counts, sizes), ("Compression", 5)):
            page.tags[tag].overwrite(values)
    np.testing.assert_array_equal(load_picture(path), light)
    path.write_bytes(path.read_bytes()[: begins[-1] + 9])
    refused(path, "packed.tif'", read=load_picture)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("is_big", [False, True])
def test_pages_of_a_tiff_lie_side_by_side(tmp_path, rng, is_big, order):
    """Where the last page is followed by itself tifffile turns pages for ever, as fuzzing found."""
    tifffile = pytest.importorskip("tifffile")
    path, light = tmp_path / "pages.tif", rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    light[0, 0] = 255
    with tifffile.TiffWriter(path, bigtiff=is_big, byteorder=order) as file:
        for _ in range(3):
            file.write(light.astype(np.uint16) * 257, photometric="rgb", contiguous=False)
    notes = []
    np.testing.assert_array_equal(load_picture(path, notes=notes), light)
    assert ["3 pages" in note for note in notes] == [True]
    with tifffile.TiffFile(path) as file:
        last = file.pages[2].offset
    kinds = "QQ" if is_big else "HI"
    content = bytearray(path.read_bytes())
    tags = struct.unpack_from(order + kinds[0], content, last)[0]
    struct.pack_into(order + kinds[1], content, last + struct.calcsize(kinds[0]) + tags * (20 if is_big else 12), last)
    with pytest.raises(PictureError, match="lists of tags are longer than the file"):
        load_picture(bytes(content))


def test_a_tiff_that_claims_more_rows_than_it_has_is_refused(tmp_path):
    """They would be black; of millions of them, as fuzzing made, tifffile took longer than ten seconds."""
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "tall.tif"
    tifffile.imwrite(path, np.full((20, 30, 3), 9999, np.uint16), photometric="rgb", rowsperstrip=4)
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tiff.pages[0].tags["ImageLength"].overwrite(2000)
    with pytest.raises(PictureError, match="cut off.*5 of 500 pieces"):
        load_picture(path)


def test_the_largest_page_of_a_tiff_is_the_picture(tmp_path, rng):
    large = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    pages = [Image.fromarray(large), Image.new("RGB", (15, 10))]
    pages[1].save(tmp_path / "thumbnail_first.tif", save_all=True, append_images=pages[:1])
    np.testing.assert_array_equal(load_picture(tmp_path / "thumbnail_first.tif"), large)
    assert picture_size(tmp_path / "thumbnail_first.tif") == (40, 60)
    # As some programs mark it, and before a picture of 12 bits, which Pillow would read as a black one.
    tifffile = pytest.importorskip("tifffile")
    large[0, 0] = 255
    for main in (large, large.astype(np.uint16) << 4):
        with tifffile.TiffWriter(tmp_path / "marked.tif") as file:
            file.write(np.zeros((10, 15, 3), np.uint8), photometric="rgb", subfiletype=1)
            file.write(main, photometric="rgb")
        np.testing.assert_array_equal(load_picture(tmp_path / "marked.tif"), large)


@pytest.mark.parametrize("kind", ["eight", "sixteen"])
def test_another_page_can_be_named(tmp_path, rng, kind):
    light = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((10, 15), (40, 60), (20, 30))]
    path = tmp_path / "pages.tif"
    if kind == "eight":
        first, *others = map(Image.fromarray, light)
        first.save(path, save_all=True, append_images=others)
    else:
        tifffile = pytest.importorskip("tifffile")
        with tifffile.TiffWriter(path) as file:
            for page in light:
                page[0, 0] = 255
                file.write(page.astype(np.uint16) * 257, photometric="rgb")
    notes = []
    np.testing.assert_array_equal(load_picture(path, notes=notes), light[1])
    assert len(notes) == 1 and "3 pages" in notes[0] and "page 2" in notes[0] and "--page" in notes[0]
    for number, page in enumerate(light, start=1):
        notes = []
        np.testing.assert_array_equal(load_picture(path, page=number, notes=notes), page)
        assert notes == []
    for number in (0, 4):
        refused(path, "pages.tif'", "has 3 pages", f"page={number}", page=number)
    Image.fromarray(light[0]).save(tmp_path / "one.jpg")
    refused(tmp_path / "one.jpg", "one.jpg'", "has 1 page", page=2)
    refused(light[0], "has 1 page", page=2)
    for page in ("1", 1.5, True):
        refused(path, f"page must be a whole number, 1 or more. Received: page={page!r}", page=page)
    assert load_picture(light[0], page=1).shape == (10, 15, 3)


def test_a_picture_is_found_by_what_is_in_it(tmp_path, rng):
    """Whatever download managers, phones and people do to its name; what cannot be read is named, not left out."""
    picture = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    for name, kind in (
        ("plain.jpg", "JPEG"),
        ("panorama.insp", "JPEG"),
        ("part.jpg.download", "JPEG"),
        ("no_suffix", "PNG"),
        ("space.jpg ", "JPEG"),
        ("old.tga", "TGA"),
        ("animation.apng", "PNG"),
        ("anymap.pnm", "PPM"),
        ("wavelets", "JPEG2000"),
        ("wavelets.jpf", "JPEG2000"),
        ("windows.bmp ", "BMP"),
    ):
        picture.save(tmp_path / name, kind)
        assert load_picture(tmp_path / name).shape == (16, 16, 3)
    (tmp_path / "raw.dng").write_bytes(b"\0" * 40)
    (tmp_path / "new.jxl").write_bytes(b"\xff\x0a" + b"\0" * 40)
    for name, start in (
        ("phone", b"\0\0\0\x18ftypheic"),
        ("web", b"\0\0\0\x1cftypavif"),
        ("newest", b"\0\0\0\x0cJXL "),
        ("layers", b"8BPS\0\1"),
    ):
        (tmp_path / name).write_bytes(start + bytes(40))
    for name in ("notes", "table.csv", "film.mp4"):
        (tmp_path / name).write_text("nothing to see")
    (tmp_path / "mail").write_text("BM is no signature alone")
    (tmp_path / "film").write_bytes(b"\0\0\0\x18ftypisom" + bytes(40))
    assert len(list_pictures(tmp_path)) == 11 + 2 + 4
