"""Counting over time: which frames are counted, what is made of them, and what cameras and bad files do."""

import contextlib
import csv
import gc
import io
import itertools
import os
import re
import resource
import socket
import struct
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from crowdcount.area.drawing import draw_zones
from crowdcount.area.zone_files import read_zones
from crowdcount.counting.doubts import Doubt
from crowdcount.counting.pictures import count
from crowdcount.counting.results import CountResult
from crowdcount.drawn.crowds import draw_crowd
from crowdcount.errors import DataError, MissingPackageError, PictureError, VideoError
from crowdcount.show.plots import overlay
from crowdcount.video import counting as video, files as video_files, frames as video_frames
from crowdcount.video.chart import CountSeries
from crowdcount.video.counting import count_video
from crowdcount.video.decoding import RecordingClock, VideoMoment
from crowdcount.video.files import AnnotatedVideo, CountTable
from crowdcount.video.frames import read_frames
from crowdcount.video.results import FrameCount
from crowdcount.video.smoothing import Estimate, Smoother

av = pytest.importorskip("av", reason="the extra video is not installed")

HALVES = [
    {"name": "left", "polygon": [[0, 0], [0.3, 0], [0.6, 1], [0, 1]]},
    {"name": "right", "polygon": [[0.3, 0], [1, 0], [1, 1], [0.6, 1]]},
]


def write_video(path, times=None, *, frames=10, rate=10, size=(48, 64), codec="mpeg4", pictures=None, **options):
    """A video whose frame number i is gray of level 20 + 5 i, at its time in seconds or at i / rate."""
    times = [index / rate for index in range(frames)] if times is None else times
    with av.open(str(path), "w", **options) as container:
        # Every frame on its own, and nearly as it was.
        stream = container.add_stream(codec, rate=rate, options={"g": "1", "qmin": "1", "qmax": "2"})
        stream.height, stream.width = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        # MPEG-2 knows only some frame rates, and times that follow from them.
        stream.codec_context.time_base = Fraction(1, rate if codec == "mpeg2video" else 1000)
        for index, moment in enumerate(times):
            picture = np.full((*size, 3), 20 + 5 * (index % 40), np.uint8)
            frame = av.VideoFrame.from_ndarray(pictures[index] if pictures else picture, format="rgb24")
            frame.pts, frame.time_base = round(moment * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return str(path)


def write_repeated(path, frames, rate, size):
    """A long video of one frame, encoded once."""
    with av.open(path, "w") as container:
        stream = container.add_stream("mjpeg", rate=rate)
        stream.height, stream.width = size
        stream.pix_fmt = "yuvj420p"
        (packet,) = stream.encode(av.VideoFrame(size[1], size[0], "yuvj420p"))
        content = bytes(packet)
        for index in range(frames):
            packet = av.Packet(content)
            packet.stream, packet.time_base = stream, Fraction(1, rate)
            packet.pts = packet.dts = index
            container.mux(packet)


def packets(path):
    """Position and size of each of a file's packets."""
    with av.open(path) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


def damage(path, number):
    """Overwrite a packet with noise."""
    position, size = packets(path)[number]
    with open(path, "r+b") as file:
        file.seek(position)
        file.write(np.random.default_rng(1).integers(0, 256, size, dtype=np.uint8).tobytes())
    return path


class ByLevel:
    """Stands in for `Counter`: as many people as a frame of `write_video` has for its number, and 1 more.

    Two thirds of them are in the left half, one third in the right.
    """

    def __init__(self, model, coverage, scale, *_):
        self.coverage, self.scale = coverage, scale

    def __call__(self, picture, *, upright):
        height, width = picture.shape[:2]
        people = (float(picture.mean()) - 20) / 5 + 1
        density = np.zeros((-(-height // 8), -(-width // 8)), np.float32)
        density[0, 0], density[0, -1] = people * 2 / 3, people / 3
        return CountResult(
            people, density, "picture", width, height, "by_level", 0.0,
            low=people * (1 - self.coverage), high=people * (1 + self.coverage),
        )  # fmt: skip


@pytest.fixture
def by_level(monkeypatch):
    monkeypatch.setattr(video, "Counter", ByLevel)


def counted(source, notify=None, **options):
    """(time, number of the frame) of each count."""
    options = {"smooth": 0, "notify": notify or pytest.fail} | options
    return [(round(frame.time, 3), round(frame.alone) - 1) for frame in count_video(source, **options)]


# --- Which frames are counted -------------------------------------------------------------------------------


def test_frames_are_chosen_by_their_times(tmp_path, by_level):
    path = write_video(tmp_path / "v.mp4", [0, 0.1, 0.9, 1.0, 1.1, 1.2, 3.7, 3.8, 4.0, 4.1])
    assert counted(path) == [(0, 0), (1.0, 3), (3.7, 6), (4.0, 8)]
    assert counted(path, every=2) == [(0, 0), (3.7, 6), (4.0, 8)]
    assert counted(path, every=0.001) == [
        (moment, index) for index, moment in enumerate([0, 0.1, 0.9, 1.0, 1.1, 1.2, 3.7, 3.8, 4.0, 4.1])
    ]
    assert counted(path, seconds=3.7) == [(0, 0), (1.0, 3)]


def test_zones_and_scale_go_along_when_a_camera_changes_its_size(monkeypatch):
    """Left where they were, pixels of a quarter as large a frame were a sixteenth of its zone."""
    scales = []

    class Even:
        """A hundred people, evenly spread."""

        def __init__(self, model, coverage, scale, *_):
            self.scale = scale

        def __call__(self, picture, *, upright):
            scales.append(self.scale)
            height, width = picture.shape[:2]
            density = np.full((height // 8, width // 8), 100 * 64 / (height * width), np.float32)
            return CountResult(100.0, density, "picture", width, height, "even", 0.0, scale=self.scale or 0.5)

    sizes = [(240, 320), (480, 640), (480, 640), (960, 1280)]
    moments = [
        SimpleNamespace(time=float(second), clock=None, picture=lambda size=size: np.zeros((*size, 3), np.uint8))
        for second, size in enumerate(sizes)
    ]
    monkeypatch.setattr(video, "Counter", Even)
    monkeypatch.setattr(video, "read_frames", lambda *_, **__: (moment for moment in moments))
    left = {"name": "left", "polygon": [[0, 0], [160, 0], [160, 240], [0, 240]]}
    corners = [[0, 0, 0, 0], [320, 0, 10, 0], [320, 240, 10, 10], [0, 240, 0, 10]]
    told = []
    frames = list(count_video(0, zones=[left], ground={"points": corners}, smooth=0, notify=told.append))
    assert [frame.zones["left"] for frame in frames] == pytest.approx([50] * 4)
    assert [frame.per_m2["left"] for frame in frames] == pytest.approx([1] * 4)
    assert scales == [None, 0.25, 0.25, 0.125]  # the network sees heads as large as before
    assert [text.split(" on,")[0] for text in told] == [
        "The frames have 640x480 pixels from 1.0 s",
        "The frames have 1280x960 pixels from 3.0 s",
    ]


@pytest.mark.parametrize(("lying", "told"), [({5, 9, 20}, [5, 9]), (range(30), list(range(30)))])
def test_a_camera_that_stood_upright_is_not_said_to_lie(tmp_path, monkeypatch, by_level, lying, told):
    class Doubting(ByLevel):
        def __call__(self, picture, *, upright):
            result = super().__call__(picture, upright=upright)
            lies = not upright and round(result.count) - 1 in lying
            return replace(result, warnings=["It lies."], doubts=frozenset([Doubt.SIDE])) if lies else result

    monkeypatch.setattr(video, "Counter", Doubting)
    frames = count_video(write_video(tmp_path / "v.mp4", frames=30), every=0.1, smooth=0)
    assert [round(frame.alone) - 1 for frame in frames if frame.warnings] == told


def test_times_of_a_rate_that_is_no_whole_number_do_not_drift(tmp_path, by_level):
    times = [index * 1001 / 30000 for index in range(121)]
    found = [moment for moment, _ in counted(write_video(tmp_path / "v.mp4", times, rate=30), every=0.5)]
    np.testing.assert_allclose(found, np.arange(9) * 0.5, atol=1001 / 30000)


def test_time_begins_at_the_first_frame_whatever_the_file_calls_it(tmp_path, by_level):
    path = write_video(tmp_path / "v.ts", codec="mpeg2video", rate=25, frames=40)
    assert counted(path, every=0.8) == [(0, 0), (0.8, 20)]


def test_joined_recordings_go_on(tmp_path, by_level):
    path = write_video(tmp_path / "v.ts", codec="mpeg2video", rate=25, frames=25)
    (tmp_path / "twice.ts").write_bytes((tmp_path / "v.ts").read_bytes() * 2)
    assert counted(str(tmp_path / "twice.ts"), every=0.5) == [(0, 0), (0.52, 13), (1, 0), (1.52, 13)]
    assert counted(path, every=0.5) == [(0, 0), (0.52, 13)]


def test_times_come_from_the_frame_rate_where_there_are_none(tmp_path, by_level):
    path = write_video(tmp_path / "v.m4v", rate=25, frames=30, format="m4v")
    assert [moment for moment, _ in counted(path, every=0.4)] == [0, 0.4, 0.8]


def test_no_times_and_zero_frames_per_second_is_an_error():
    stream = SimpleNamespace(average_rate=Fraction(0), guessed_rate=None, start_time=None, time_base=None)
    clock = RecordingClock(stream, "v.avi")
    assert clock.read(SimpleNamespace(pts=None)) == 0
    with pytest.raises(VideoError, match="0 frames per second"):
        clock.read(SimpleNamespace(pts=None))


def test_a_header_with_zero_frames_per_second_is_no_trouble(tmp_path, by_level):
    path = write_video(tmp_path / "v.avi", codec="mjpeg", rate=25, frames=26)
    data = bytearray((tmp_path / "v.avi").read_bytes())
    data[32:36] = bytes(4)  # microseconds a frame
    rate = data.index(b"strh") + 8 + 20
    data[rate : rate + 8] = bytes(8)  # scale and rate
    (tmp_path / "v.avi").write_bytes(data)
    assert counted(path)[0] == (0, 0)


def test_phone_videos_are_turned_upright(tmp_path):
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :48] = (250, 20, 20)
    picture[:32, 48:] = (20, 250, 20)
    path = tmp_path / "v.mp4"
    write_video(path, size=(64, 96), frames=2, pictures=[picture] * 2)
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    # A quarter clockwise: (x, y) -> (height - y, x).
    data[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 64 << 16, 0, 1 << 30)
    path.write_bytes(data)
    shown = next(read_frames(path, notify=pytest.fail)).picture()
    assert shown.shape == (96, 64, 3) and shown.flags["C_CONTIGUOUS"]
    expected = np.rot90(picture, -1).astype(float)
    assert np.abs(shown - expected).mean() < 10


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_frames_that_carry_exif_are_read(tmp_path, orientation):
    """FFmpeg hands it on beside the frame, as a kind that PyAV may not know."""
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :48] = (250, 20, 20)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(picture).save(tmp_path / "a.jpg", exif=exif)
    (tmp_path / "v.mjpeg").write_bytes(5 * (tmp_path / "a.jpg").read_bytes())
    shown = next(read_frames(tmp_path / "v.mjpeg", notify=pytest.fail)).picture()
    turned = {1: picture, 3: picture[::-1, ::-1], 6: np.rot90(picture, -1)}[orientation]
    assert shown.shape == turned.shape and np.abs(shown - turned.astype(float)).mean() < 10


def test_pixels_that_are_not_square_are_made_so(tmp_path):
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        frame = av.VideoFrame.from_ndarray(np.full((64, 48, 3), 99, np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert next(read_frames(path, notify=pytest.fail)).picture().shape == (64, 64, 3)


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".flv"])
def test_a_container_that_alone_knows_its_length_is_told_to_end_early(tmp_path, rng, suffix):
    """Half of a downloaded file was the whole recording."""
    path = tmp_path / f"v{suffix}"
    codec = {".mkv": "mpeg4", ".webm": "libvpx", ".flv": "flv"}[suffix]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=5, options={"g": "5"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for _ in range(60):
            picture = rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    assert len(list(read_frames(path, notify=pytest.fail))) == 60
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    messages = []
    assert 20 < len(list(read_frames(path, notify=messages.append))) < 40
    assert re.search(r"ends early, after \d\.\d s of 1\d\.\d s", messages[-1])


# --- What is made of them -----------------------------------------------------------------------------------


def test_a_frame_counts_as_the_same_picture_does(tmp_path, rng):
    pictures = [rng.integers(0, 256, (48, 72, 3), dtype=np.uint8) for _ in range(3)]
    path = write_video(tmp_path / "v.mp4", size=(48, 72), pictures=pictures, frames=3, rate=1)
    from crowdcount.network.csrnet import CSRNet  # here, because all the other tests need no TensorFlow

    model = CSRNet(width=1 / 16)
    frames = list(count_video(path, model=model, zones=HALVES, smooth=0))
    for frame, moment in zip(frames, read_frames(path, notify=pytest.fail), strict=True):
        result = count(moment.picture(), model=model)
        assert frame.count == frame.alone == result.count > 0
        np.testing.assert_array_equal(frame.density, result.density)
        assert frame.zones == result.zones(HALVES)
        assert (frame.width, frame.height) == (72, 48) and frame.warnings == result.warnings
        assert frame.low is None and frame.clock is None


def test_smoothing_weighs_by_age(tmp_path, by_level):
    times = [0, 1.0, 2.5, 3.0, 60.0]
    path = write_video(tmp_path / "v.mp4", times)
    frames = list(count_video(path, every=0.5, smooth=2, zones=HALVES))
    alone = np.array([frame.alone for frame in frames])
    for index, frame in enumerate(frames):
        weights = np.exp((np.array(times[: index + 1]) - times[index]) / 2)
        assert frame.count == pytest.approx(np.average(alone[: index + 1], weights=weights))
        # Linear, with the same weights for all: what adds up before adds up after.
        assert sum(frame.zones.values()) == pytest.approx(frame.count, rel=1e-5)
        assert frame.low == pytest.approx(0.1 * frame.count)
        assert frame.high == pytest.approx(1.9 * frame.count)
    assert frames[1].count < frames[1].alone - 0.3
    assert frames[-1].count == pytest.approx(frames[-1].alone)


def test_ranges_of_zones_are_smoothed_as_the_counts_are(tmp_path, by_level, monkeypatch):
    """A zone without ground for a range has none, and a frame in which one has none makes no later one narrower."""

    def ranges(result, zones):
        people = {zone.name: found for zone, found in zip(zones, result.zones(zones).values())}
        left = None if 5 < result.count < 7.5 else (0.5 * people["left"], 2 * people["left"])
        return {"left": left, "right": None}

    monkeypatch.setattr(CountResult, "zone_ranges", ranges)
    frames = list(count_video(write_video(tmp_path / "v.mp4", frames=12), every=0.1, smooth=0.3, zones=HALVES))
    alone = np.array([2 / 3 * frame.alone for frame in frames])
    known = (alone < 10 / 3) | (alone > 5)
    assert 2 < known.sum() < 12
    for index, frame in enumerate(frames):
        assert list(frame.zone_ranges) == (["left"] if known[index] else [])
        weights, so_far = np.exp((np.arange(index + 1) - index) * 0.1 / 0.3), alone[: index + 1]
        for end, factor in enumerate((0.5, 2)):
            if known[index]:
                reach = np.average((factor - 1) * so_far, weights=weights * known[: index + 1])
                expected = np.average(so_far, weights=weights) + reach
                assert frame.zone_ranges["left"][end] == pytest.approx(expected, rel=1e-3)


def test_coverage_reaches_the_counting(tmp_path, by_level):
    (frame,) = count_video(write_video(tmp_path / "v.mp4", frames=1), coverage=0.5)
    assert (frame.low, frame.high) == pytest.approx((0.5 * frame.count, 1.5 * frame.count))


@pytest.mark.parametrize("scale", [None, 0.5])
def test_all_frames_are_counted_at_the_scale_of_the_first_with_people(tmp_path, by_level, monkeypatch, scale):
    asked = []

    class AtScale(ByLevel):
        def __call__(self, picture, **options):
            asked.append(self.scale)
            result = super().__call__(picture, **options)
            result.scale = self.scale or result.count  # where it is free to choose, another one for each frame
            return result

    monkeypatch.setattr(video, "Counter", AtScale)
    alone = [
        round(frame.alone) for frame in count_video(write_video(tmp_path / "v.mp4", frames=20), every=0.3, scale=scale)
    ]
    settled = next(number for number, people in enumerate(alone) if people >= 10)
    assert 0 < settled < len(alone) - 2
    if scale is None:
        assert asked[: settled + 1] == [None] * (settled + 1)
        assert len(set(asked[settled + 1 :])) == 1 and round(asked[-1]) == alone[settled]
    else:
        assert set(asked) == {scale}


@pytest.mark.parametrize("apart, share", [(1, 0.63), (3, 0.95)])
def test_share_of_the_newest_count_by_how_far_they_lie_apart(apart, share):
    smoother = Smoother(5)
    for number in range(20):
        shown, _ = smoother(5 * apart * number, Estimate.of(float(number == 19), None), {})
    assert shown.people == pytest.approx(share, abs=0.005)


def test_a_frame_without_a_range_makes_none_narrower():
    """As after a dark one: the range reaches as far from the count as those of the frames that have one."""
    smoother = Smoother(5)
    steady = [smoother(float(time_), Estimate.of(100.0, (80.0, 130.0)), {})[0] for time_ in range(3)][-1]
    dark, _ = smoother(3.0, Estimate.of(90.0, None), {})
    assert (steady.low, steady.high) == pytest.approx((80, 130)) and 90 < dark.people < 100
    after, _ = smoother(4.0, Estimate.of(100.0, (80.0, 130.0)), {})
    assert after.low == pytest.approx(after.people - 20) and after.high == pytest.approx(after.people + 30)
    assert np.isnan(Smoother(5)(0.0, Estimate.of(5.0, None), {})[0].low)
    emptied = Smoother(5)
    emptied(0.0, Estimate.of(100.0, (10.0, 200.0)), {})
    assert emptied(9.0, Estimate.of(0.0, None), {})[0].low == 0  # and not below nobody


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.floats(0, 1e4)] * 9), min_size=1, max_size=6), st.sampled_from([0.0, 0.5, 5.0]))
def test_frame_and_zones_are_smoothed_each_as_if_alone(rows, seconds):
    """Nothing of one is mixed up with another: people, low and high of each are what a smoother of their own gives."""
    together, alone = Smoother(seconds), [Smoother(seconds) for _ in range(3)]
    for time_, row in enumerate(rows):
        frame, left, right = (Estimate(*row[at : at + 3]) for at in (0, 3, 6))
        whole, parts = together(float(time_), frame, {"left": left, "right": right})
        assert list(parts) == ["left", "right"]
        for one, seen, smoothed in zip(alone, (frame, left, right), (whole, parts["left"], parts["right"])):
            assert smoothed == one(float(time_), seen, {})[0]


@pytest.mark.parametrize(
    "options, part",
    [
        ({"every": 0}, "every=0"),
        ({"every": float("nan")}, "every=nan"),
        ({"every": "4"}, "every='4'"),
        ({"every": None}, "every=None"),
        ({"seconds": True}, "seconds=True"),
        ({"seconds": -1}, "seconds=-1"),
        ({"scale": 20}, "scale=20"),
        ({"smooth": -0.1}, "smooth=-0.1"),
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": None}, "timeout=None"),
        ({"patience": "3600"}, "patience='3600'"),
        ({"patience": float("nan")}, "patience=nan"),
        ({"zones": "missing.json"}, "missing.json"),
        ({"annotated": "v.txt"}, "v.txt"),
    ],
)
def test_bad_arguments_are_told_at_once(by_level, options, part):
    with pytest.raises((DataError, VideoError), match=re.escape(part)):
        count_video("v.mp4", **options)


def test_a_zone_outside_the_frame_is_an_error(tmp_path, by_level):
    zones = [{"name": "far", "polygon": [[0, 0], [500, 0], [500, 40]]}]
    with pytest.raises(DataError, match="'far'.*64x48"):
        next(count_video(write_video(tmp_path / "v.mp4"), zones=zones))


# --- Bad files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, codec", [("v.mp4", "mpeg4"), ("v.avi", "mjpeg")])
def test_a_broken_frame_is_left_out_and_reported(tmp_path, by_level, name, codec):
    path = damage(write_video(tmp_path / name, codec=codec, rate=2), 4)
    messages = []
    frames = counted(path, messages.append)
    assert [moment for moment, _ in frames] == [0, 1, 2.5, 3, 4]
    assert len(messages) == 1 and "1 broken frame skipped before 2.5 s" in messages[0] and name in messages[0]


def test_a_recording_that_is_cut_off_is_counted_as_far_as_it_goes(tmp_path, by_level):
    path = write_video(tmp_path / "v.mp4", frames=30, rate=2, options={"movflags": "faststart"})
    position, _ = packets(path)[10]
    with open(path, "r+b") as file:
        file.truncate(position)
    messages = []
    assert [moment for moment, _ in counted(path, messages.append)] == [0, 1, 2, 3, 4]
    assert len(messages) == 1 and "ends early, after 4.5 s of 15.0 s" in messages[0]


@pytest.mark.parametrize("name, codec", [("v.avi", "mjpeg"), ("v.mp4", "mpeg4")])
def test_fewer_frames_than_the_header_says_end_early_however_short(tmp_path, by_level, name, codec):
    path, options = str(tmp_path / name), {} if name == "v.avi" else {"options": {"movflags": "faststart"}}
    with av.open(path, "w", **options) as container:
        stream = container.add_stream(codec, rate=25, options={"g": "1"})
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for level in range(20, 50, 5):
            picture = np.full((48, 64, 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    assert len(counted(path, every=0.01)) == 6  # and nothing is told of a whole one
    position, _ = packets(path)[2]
    with open(path, "r+b") as file:
        file.truncate(position)
    messages = []
    assert len(counted(path, messages.append, every=0.01)) == 2
    assert len(messages) == 1 and " of 0.2 s: it is cut off or damaged" in messages[0]


def test_a_trimmed_recording_does_not_end_early(tmp_path, by_level):
    path = tmp_path / "v.mp4"
    write_video(path, frames=30)
    data = bytearray(path.read_bytes())
    shown = data.index(b"elst") + 12
    data[shown : shown + 4] = struct.pack(">I", 1000)  # of 3000 milliseconds, as phones trim
    path.write_bytes(data)
    assert counted(str(path)) == [(0, 0)]


def test_pauses_of_a_camera_in_an_avi_do_not_end_early(tmp_path, by_level):
    # The header counts every tick of the clock as a frame.
    path = write_video(tmp_path / "v.avi", [0, 0.1, 0.9, 1.0, 1.1, 1.2, 3.7, 3.8])
    assert counted(path) == [(0, 0), (1.0, 3), (3.7, 6)]


@pytest.mark.parametrize("password", ["secret", "se@ret", "@", "s@cr@t?#:", "s%40cret"])
def test_a_password_with_any_signs_stays_out_of_messages(password):
    named = video_frames.source_name(f"rtsp://me:{password}@192.168.1.20:554/square@noon/1")
    assert named == "rtsp://***@192.168.1.20:554/square@noon/1"
    assert video_frames.source_name("http://camera/square@noon") == "http://camera/square@noon"


@pytest.mark.parametrize(
    "address, named",
    [
        ("http://192.168.1.20/video.cgi?user=admin&pwd=secret", "http://192.168.1.20/video.cgi?***"),
        ("http://me:secret@192.168.1.20/video.cgi?secret", "http://***@192.168.1.20/video.cgi?***"),
        ("http://192.168.1.20?u=a/b&pwd=secret", "http://192.168.1.20?***"),
        ("http://192.168.1.20/live#pwd=secret", "http://192.168.1.20/live#***"),
        ("rtsp://192.168.1.20:554/user=admin&password=secret&channel=1", "rtsp://192.168.1.20:554/user=***"),
        ("rtsp://192.168.1.20/ch1;pwd=secret", "rtsp://192.168.1.20/ch1;***"),
    ],
)
def test_a_password_in_the_query_or_the_path_stays_out_of_messages(address, named):
    assert video_frames.source_name(address) == named


def test_the_path_of_a_file_is_named_whole():
    for path in ("squares//me@noon/v.mp4", "what?=;#.mp4"):
        assert video_frames.source_name(path) == path


def write_videos(path, *videos, codec, rate):
    """A file of several videos: of each the number of its black frames, and their height and width."""
    with av.open(str(path), "w") as container:
        begun = []
        for frames, size in videos:
            stream = container.add_stream(codec, rate=rate)
            stream.height, stream.width = size
            stream.pix_fmt = "yuv420p"
            begun.append((stream, [np.zeros((*size, 3), np.uint8)] * frames))
        for stream, pictures in begun:
            for picture in pictures:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
    return str(path)


def test_of_several_videos_in_a_file_the_one_that_players_show_is_counted(tmp_path, by_level):
    """FFmpeg's choice, as that of a camera's small copy before the recording itself."""
    path = write_videos(tmp_path / "two.ts", (1, (48, 64)), (10, (96, 128)), codec="mpeg2video", rate=25)
    shapes = [frame.picture().shape for frame in read_frames(path, notify=pytest.fail)]
    assert shapes == [(96, 128, 3)] * 10


def box(kind, *content):
    """An atom of an MP4 file."""
    content = b"".join(content)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def with_cover(path):
    """Put a cover of 32x32 pixels before the streams of an MP4, as players of music write it: FFmpeg's first video."""
    jpeg = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(jpeg, "JPEG")
    cover = box(b"covr", box(b"data", struct.pack(">II", 13, 0), jpeg.getvalue()))
    handler = box(b"hdlr", bytes(8), b"mdirappl", bytes(9))
    tags = box(b"udta", box(b"meta", bytes(4), handler, box(b"ilst", cover)))
    content = path.read_bytes()
    at = content.index(b"moov") - 4
    length, first = (struct.unpack_from(">I", content, place)[0] for place in (at, at + 8))
    assert at + length == len(content), "frames behind the index would be moved"
    head, streams = content[at + 8 : at + 8 + first], content[at + 8 + first :]
    path.write_bytes(content[:at] + box(b"moov", head, tags, streams))
    return str(path)


def test_the_cover_of_a_video_is_not_counted_instead_of_it(tmp_path, by_level):
    path = tmp_path / "v.mp4"
    write_video(path)
    with av.open(with_cover(path)) as container:
        assert [stream.width for stream in container.streams.video] == [32, 64]
    assert [frame.picture().shape for frame in read_frames(path, notify=pytest.fail)] == [(48, 64, 3)] * 10
    assert counted(path, every=0.5) == [(0, 0), (0.5, 5)]


def test_a_still_before_the_recording_is_not_counted_instead_of_it(tmp_path):
    """A cover that is not marked as one, in the first track, which players show unless told otherwise."""
    path = write_videos(tmp_path / "v.mp4", (1, (96, 128)), (10, (48, 64)), codec="mpeg4", rate=10)
    assert [frame.picture().shape for frame in read_frames(path, notify=pytest.fail)] == [(48, 64, 3)] * 10
    one = write_video(tmp_path / "one.mp4", frames=1)
    assert len(list(read_frames(one, notify=pytest.fail))) == 1


def write_cover_alone(path):
    """As a song with the picture of its record."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with_cover(path)


def write_sound(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_no_frames(path):
    write_video(path, frames=1)
    damage(str(path), 0)


@pytest.mark.parametrize(
    "name, make, part",
    [
        ("missing.mp4", lambda path: None, "does not exist"),
        ("folder", lambda path: path.mkdir(), "is a folder"),
        ("empty.mp4", lambda path: path.touch(), "is empty"),
        ("text.mp4", lambda path: path.write_text("no video " * 100), "cannot be read as a video"),
        ("cut.mp4", lambda path: path.write_bytes(b"\0\0\0\x20ftypisom" + bytes(300)), "cannot be read"),
        ("sound.wav", write_sound, "holds no video"),
        ("song.mp4", write_cover_alone, "holds no video"),
        ("noise.mp4", write_no_frames, "has no frame that can be read"),
        ("pipe", os.mkfifo, "is a pipe or a device"),
    ],
)
def test_what_is_no_video_is_one_clear_error(tmp_path, by_level, name, make, part):
    make(tmp_path / name)
    with pytest.raises(VideoError, match=part) as error:
        counted(tmp_path / name, lambda message: None)
    assert name in str(error.value)


def test_a_missing_library_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingPackageError, match=re.escape('pip install ".[video]"')):
        count_video("v.mp4")


# --- An hour ------------------------------------------------------------------------------------------------


def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc to read the memory from")
def test_memory_stays_flat_over_an_hour(tmp_path, by_level):
    path = str(tmp_path / "hour.avi")
    write_repeated(path, 7200, rate=2, size=(144, 240))
    held = []
    with CountTable(tmp_path / "hour.csv") as table:
        for number, frame in enumerate(count_video(path, notify=pytest.fail)):
            table.add(frame)
            if number in (300, 3599):
                held.append(resident())
    assert number == 3599 and frame.time == 3599
    # Were every frame kept as it was decoded, this would be 340 MB, were every counted picture, as much.
    assert held[1] - held[0] < 40e6  # what other tests of this process left comes and goes


def test_a_chart_of_a_day_is_small():
    frame = FrameCount(0.0, 1.0, 0.5, 2.0, {"a": 1.0}, 1.0, np.zeros((1, 1), np.float32), 8, 8)
    series = CountSeries(itertools.repeat(frame, 86400))
    used = sum(len(kept) * kept.itemsize for kept in (series.times, series.counts, series.low, series.high))
    assert len(series) == 86400 and used == 86400 * 32


# --- What is left behind ------------------------------------------------------------------------------------


def frame_at(moment, density=None, **changes):
    density = np.zeros((6, 8), np.float32) if density is None else density
    defaults = dict(
        time=moment, count=3.25, low=1.0, high=9.0, zones={}, alone=3.0, density=density, width=64, height=48
    )
    return FrameCount(**defaults | changes)


def test_a_table_can_be_read_at_any_time(tmp_path):
    path = tmp_path / "deep" / "t.csv"
    with CountTable(path, ["gate, north"]) as table:
        assert not path.exists()
        table.add(frame_at(0.0, zones={"gate, north": 1.5}, zone_ranges={"gate, north": (1.0, 3.25)}))
        head = b'time,count,low,high,"gate, north","low gate, north","high gate, north"\r\n'
        assert path.read_bytes() == head + b"0,3.25,1,9,1.5,1,3.25\r\n"
        table.add(frame_at(1.23456, low=None, high=None, zones={"gate, north": 2.0}))
        assert path.read_text().splitlines()[-1] == "1.235,3.25,,,2,,"
        table.add(frame_at(2.0, low=1.2e-5, zones={"gate, north": 2.0e-6}))
        assert path.read_text().splitlines()[-1] == "2,3.25,0,9,0.000002,,"


def test_a_cameras_table_has_its_clock(tmp_path):
    path = tmp_path / "t.csv"
    clock = datetime(2026, 11, 28, 9, 30, 1, 250000, tzinfo=timezone.utc)
    with CountTable(path, ["gate"], per_m2=True) as table:
        table.add(frame_at(0.0, clock=clock, zones={"gate": 1.5}, per_m2={"gate": 0.25}))
    assert path.read_text().splitlines() == [
        "time,count,low,high,clock,gate,low gate,high gate,per m2 gate",
        "0,3.25,1,9,2026-11-28T09:30:01.250+00:00,1.5,,,0.25",
    ]


def test_a_cameras_table_is_gone_on_with(tmp_path):
    """As by a service that is started again: the rows of before stay, whole, and time runs on by the clock."""
    path, noon = tmp_path / "t.csv", datetime(2026, 11, 28, 12, tzinfo=timezone.utc)
    rows = []
    for start in (0.0, 0.0, 3600.0):  # the first time there is no table yet
        with CountTable(path, ["gate"], resume=bool(rows) or start == 0) as table:
            for moment in (0.0, 2.0):
                clock = noon + timedelta(seconds=start + moment + (10 if rows else 0))
                table.add(frame_at(moment, clock=clock, zones={"gate": 1.5}))
        assert path.read_text().splitlines()[: len(rows)] == rows
        rows = path.read_text().splitlines()
        with open(path, "ab") as file:
            file.write(b"4,3.25,1,9,2026-11-28T12:")  # the power failed in the middle of a row
    assert [float(row.split(",")[0]) for row in rows[1:]] == [0, 2, 10, 12, 3610, 3612]
    before = path.read_bytes()
    with pytest.raises(DataError, match="other columns"):  # before the first frame
        CountTable(path, ["door"], resume=True)
    with CountTable(path, ["gate"], resume=True) as table, pytest.raises(DataError, match="Only a camera's table"):
        table.add(frame_at(0.0, zones={"gate": 1.5}))
    assert path.read_bytes() == before


@pytest.mark.parametrize("zones", [[], ["gate"], ["gate, north"]])
def test_a_cameras_last_row_is_kept_where_it_lacks_its_line_end_alone(tmp_path, zones):
    """As an editor leaves it: the count was lost."""
    path, noon = tmp_path / "t.csv", datetime(2026, 11, 28, 12, tzinfo=timezone.utc)

    def go_on(seconds):
        with CountTable(path, zones, resume=True) as table:
            clock = noon + timedelta(seconds=seconds)
            table.add(frame_at(0.0, clock=clock, zones=dict.fromkeys(zones, 1.5)))
        return path.read_bytes()

    def times(table):
        return [float(row.split(",")[0]) for row in table.decode().splitlines()[1:]]

    for seconds, ending in enumerate((b"\r\n", b"\n")):
        path.write_bytes(go_on(seconds).removesuffix(ending))
    whole = go_on(2)
    assert whole.count(b"\r\n") == 4 and times(whole) == [0, 1, 2]
    row = whole.splitlines()[-1]
    cut_off = row.rpartition(b",")[0] if zones else row[:-1]  # without its last field, or in the middle of its clock
    path.write_bytes(whole.removesuffix(row + b"\r\n") + cut_off)
    assert times(go_on(3)) == [0, 1, 3]


def test_a_table_of_before_is_kept_beside_the_new_one(tmp_path):
    """A camera's table of days was gone with the first row of a run that was started without `resume`."""
    path, noon = tmp_path / "t.csv", datetime(2026, 11, 28, 12, tzinfo=timezone.utc)

    def counted(clock=None, *, to_the_end=True):
        with CountTable(path) as table:
            table.add(frame_at(0.0, clock=clock))
            table.add(frame_at(1.0, clock=clock))
            if to_the_end:
                table.finish()
        return table.earlier, path.read_bytes()

    assert counted(noon)[0] is None
    before = path.read_bytes()
    for hour, number in enumerate(("", "_2"), start=1):
        kept, written = counted(noon + timedelta(hours=hour))
        assert kept == tmp_path / f"t_earlier{number}.csv" and kept.read_bytes() == before != written
        before = written
    # A recording can be counted again: its table is kept until the new one is whole.
    path.unlink()
    counted()
    kept, _ = counted(to_the_end=False)
    assert kept == tmp_path / "t_earlier_3.csv" and kept.exists()
    assert counted()[0] is None
    assert sorted(os.listdir(tmp_path)) == ["t.csv", "t_earlier.csv", "t_earlier_2.csv", "t_earlier_3.csv"]


def test_a_zone_may_not_be_called_as_a_column():
    for names in (["low"], ["clock"], ["gate", "low gate"]):
        with pytest.raises(DataError, match=names[-1]):
            CountTable("t.csv", names)


def test_names_of_zones_are_no_formulas_in_the_head_of_a_table(tmp_path):
    path, names = tmp_path / "t.csv", ["=1+1", "+gate", "-1 floor", "@stage", "gate"]
    with CountTable(path, names, per_m2=True) as table:
        people = {name: 1.5 for name in names}
        table.add(frame_at(0.0, zones=people, per_m2=people))
    with open(path, newline="") as file:
        head, row = csv.reader(file)
    assert head[4:9] == ["'=1+1", "'+gate", "'-1 floor", "'@stage", "gate"]
    assert head[9:11] == ["low =1+1", "high =1+1"] and head[-5] == "per m2 =1+1"
    assert not any(column.startswith(("=", "+", "-", "@")) for column in head) and len(row) == len(head)
    with pytest.raises(DataError, match="'=1\\+1'"):
        CountTable(path, ["=1+1", "'=1+1"])  # two columns of one name


def test_a_full_disk_leaves_whole_rows(tmp_path, small_disk):
    path = tmp_path / "t.csv"
    with small_disk(100), CountTable(path) as table, pytest.raises(OSError):
        for moment in itertools.count():
            table.add(frame_at(float(moment)))
    *lines, rest = path.read_bytes().split(b"\r\n")
    assert rest == b"" and len(lines) == moment + 1 > 3
    assert all(line.count(b",") == 3 for line in lines)


def decoded(path):
    with av.open(str(path)) as container:
        return [(round(frame.time, 3), frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def test_annotated_video_shows_the_last_map_over_every_frame(tmp_path, by_level):
    path = write_video(tmp_path / "v.mp4", [0, 0.3, 1.0, 1.1, 2.7], size=(96, 160))
    list(count_video(path, annotated=tmp_path / "out.mp4", smooth=0))
    frames = decoded(tmp_path / "out.mp4")
    assert [moment for moment, _ in frames] == [0, 0.3, 1.0, 1.1, 2.7]
    for index, (_, picture) in enumerate(frames):
        assert picture.shape[1] == 160 and picture.shape[0] > 96
        np.testing.assert_allclose(picture[60:90, 40:120], 20 + 5 * index, atol=4)  # nobody there
        # Hot where the fake network sees people, also between two counts.
        assert np.abs(picture[:6, :6].astype(float) - (20 + 5 * index)).max() > 60
        assert picture[100:].max() > 150  # the line of text
    texts = [picture[96:] for _, picture in frames]
    # Time and count change from frame 1 to frame 2, and neither from frame 2 to frame 3.
    assert np.abs(texts[1].astype(float) - texts[2]).max() > 60
    assert np.abs(texts[2].astype(float) - texts[3]).max() < 40


def test_annotated_frames_look_like_annotated_pictures(rng):
    picture = rng.integers(0, 256, (48, 63, 3), dtype=np.uint8)
    density = rng.uniform(0, 0.3, (6, 8)).astype(np.float32)
    zones = read_zones(HALVES[:1])
    frame = frame_at(0.0, density, width=63, zones={"left": 4.0})
    drawn = np.asarray(AnnotatedVideo("v.mp4", zones, pytest.fail).drawn(0.0, picture, frame))
    expected = draw_zones(overlay(picture, density), zones, {"left": "4"})
    assert drawn.shape[0] % 2 == drawn.shape[1] % 2 == 0
    assert np.abs(drawn[:48, :63].astype(int) - expected).max() <= 3


def test_annotated_frames_show_heads_that_were_counted_smaller(tmp_path, monkeypatch):
    """At a quarter of its size a head is spread over sixteen times as many cells of a large frame."""

    class Smaller(ByLevel):
        def __call__(self, picture, *, upright):
            return replace(super().__call__(picture, upright=upright), scale=0.25)

    monkeypatch.setattr(video, "Counter", Smaller)
    (frame,) = count_video(write_video(tmp_path / "v.mp4", frames=1))
    assert frame.scale == 0.25
    picture, density = np.full((48, 64, 3), 90, np.uint8), np.full((6, 8), 0.004, np.float32)
    for scale in (1.0, 0.25):
        shown = np.asarray(
            AnnotatedVideo("v.mp4", [], pytest.fail).drawn(0.0, picture, frame_at(0.0, density, scale=scale))
        )
        assert np.abs(shown[:48].astype(int) - overlay(picture, density, scale=scale)).max() <= 3


def test_a_video_tells_what_its_network_counts(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    class Cells(ByLevel):
        def __call__(self, picture, *, upright):
            return replace(super().__call__(picture, upright=upright), thing="cells")

    monkeypatch.setattr(video, "Counter", Cells)
    series = CountSeries(count_video(write_video(tmp_path / "v.mp4", frames=1)))
    assert series.plot(Figure().add_subplot()).get_ylabel() == "cells"
    assert video_files._people(frame_at(0.0, thing="cells")) == "about 3 cells (1 to 9)"


def test_annotated_frames_have_room_for_the_range_that_the_first_lacks():
    film, picture = AnnotatedVideo("v.mp4", [], pytest.fail), np.zeros((240, 320, 3), np.uint8)
    dark = film.drawn(0.0, picture, frame_at(0.0, low=None, high=None))
    light = film.drawn(9.0, picture, frame_at(9.0, count=1200.0, low=1000.0, high=1400.0))
    assert light.size == dark.size and film._strip.height <= light.height - 240


def test_zones_of_an_annotated_video_go_along_when_a_camera_changes_its_size():
    left = read_zones([{"name": "left", "polygon": [[0, 0], [160, 0], [160, 240], [0, 240]]}])
    film = AnnotatedVideo("v.mp4", left, pytest.fail)
    for height, width in ((240, 320), (480, 640), (120, 160)):
        nobody = np.zeros((height // 8, width // 8), np.float32)
        frame = frame_at(0.0, nobody, width=width, count=0.0, zones={"left": 0.0})
        shown = np.asarray(film.drawn(0.0, np.full((height, width, 3), 240, np.uint8), frame))[:height]
        corners = shown[[10, 10, -10, -10], [10, -10, 10, -10], 0]
        assert corners.tolist() == [240, 80, 240, 80], (height, width)


def test_annotated_frames_keep_their_size_whatever_is_counted():
    film = AnnotatedVideo("v.mp4", [], pytest.fail)
    picture = np.zeros((48, 64, 3), np.uint8)
    sizes = {
        film.drawn(time, picture, frame_at(time, count=people, high=2 * people)).size
        for time, people in [(0.0, 1.0), (5000.0, 98765.0), (40000.0, 1234.0)]
    }
    assert len(sizes) == 1


@pytest.mark.parametrize("encoder", list(video_files._ENCODERS))
def test_annotated_video_keeps_moving_crowds_sharp(tmp_path, monkeypatch, encoder):
    if encoder not in av.codecs_available:
        pytest.skip(f"this PyAV cannot write {encoder}")
    monkeypatch.setattr(video_files, "_ENCODERS", {encoder: video_files._ENCODERS[encoder]})
    crowd = draw_crowd(60, size=(200, 280), seed=1).picture
    frames = [np.ascontiguousarray(crowd[10 * i : 10 * i + 160, 10 * i : 10 * i + 240]) for i in range(5)]
    nobody = frame_at(0.0, np.zeros((20, 30), np.float32), width=240, count=0.0)
    with AnnotatedVideo(tmp_path / "v.mp4", [], pytest.fail) as film:
        for second, frame in enumerate(frames):
            film.add(second, frame, nobody)
        wanted = [np.asarray(film.drawn(second, frame, nobody)) for second, frame in enumerate(frames)]
    for (_, picture), drawn in zip(decoded(tmp_path / "v.mp4"), wanted):
        noise = np.mean((picture.astype(float) - drawn)[:160] ** 2)
        assert 10 * np.log10(255**2 / noise) > 31, encoder  # decibels; a bit rate for still pictures leaves 28


@pytest.mark.parametrize("stop", [None, KeyboardInterrupt, MemoryError])
def test_annotated_video_is_whole_however_it_ends(tmp_path, by_level, monkeypatch, stop):
    path = write_video(tmp_path / "v.mp4", rate=5, frames=20)
    frames = count_video(path, annotated=tmp_path / "out.mp4")
    next(frames)
    next(frames)
    assert not (tmp_path / "out.mp4").exists()
    if stop is None:
        frames.close()
    else:

        def interrupted(*_, **__):
            raise stop

        monkeypatch.setattr(ByLevel, "__call__", interrupted)
        with pytest.raises(stop):
            next(frames)
    times = [moment for moment, _ in decoded(tmp_path / "out.mp4")]
    assert times == [0, 0.2, 0.4, 0.6, 0.8, 1.0][: len(times)] + [1.2, 1.4, 1.6, 1.8][: len(times) - 6]
    assert len(times) == (6 if stop is None else 10)
    assert sorted(os.listdir(tmp_path)) == ["out.mp4", "v.mp4"]


def test_a_full_disk_ends_the_annotated_video_and_not_the_counting(tmp_path, by_level, rng, small_disk):
    pictures = [rng.integers(0, 256, (96, 160, 3), dtype=np.uint8) for _ in range(40)]
    path = write_video(tmp_path / "v.mp4", frames=40, size=(96, 160), pictures=pictures)
    messages, times = [], []
    with small_disk(60_000), pytest.raises(VideoError, match="out.mp4: File too large"):
        for frame in count_video(path, annotated=tmp_path / "out.mp4", notify=messages.append):
            times.append(frame.time)
    assert times == [0, 1, 2, 3]
    assert len(messages) == 1 and "Counting goes on" in messages[0]
    assert os.listdir(tmp_path) == ["v.mp4"]


def test_chart_draws_counts_range_and_zones(tmp_path, monkeypatch):
    series = CountSeries(
        frame_at(moment, count=count, low=count / 2, high=count * 2, zones={"gate": count / 4, "$1_$": 0.0})
        for moment, count in [(0.0, 10.0), (1.0, 20.0), (2.0, 30.0), (90.0, 40.0)]
    )
    from matplotlib.figure import Figure

    axes = series.plot(Figure().add_subplot(), title="the square")
    whole, gate, _ = axes.get_lines()
    # A gap is no line.
    np.testing.assert_array_equal(whole.get_ydata(), [10, 20, 30, np.nan, 40])
    np.testing.assert_array_equal(gate.get_ydata(), [2.5, 5, 7.5, np.nan, 10])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "range", "whole picture", "gate", r"\$1_\$",
    ]  # fmt: skip
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() >= 60
    assert axes.get_ylim()[1] == pytest.approx(1.05 * 80)
    series.save_chart(tmp_path / "chart.png", "Fu\udcdf, $_$")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="chart.mp4"):
        series.save_chart(tmp_path / "chart.mp4")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PictureError, match=r"chart\.pgf"):  # LaTeX is not there
        series.save_chart(tmp_path / "chart.pgf")


def test_range_of_few_people_leaves_room_for_the_counts_in_the_chart():
    from matplotlib.figure import Figure

    series = CountSeries(frame_at(moment, count=5.0, low=0.0, high=60.4) for moment in (0.0, 1.0))
    axes = series.plot(Figure().add_subplot())
    assert axes.get_ylim() == (0, pytest.approx(10.5))
    assert axes.get_legend().get_texts()[0].get_text() == "range (up to 60)"


# --- Cameras ------------------------------------------------------------------------------------------------


class Camera:
    """An RTSP camera: MPEG transport stream in RTP, over the connection that asks for it."""

    def __init__(self, tmp_path, drop_after=None, refuse_from=None, span=None, once=False):
        path = write_video(tmp_path / "camera.ts", codec="mpeg2video", rate=25, frames=40, format="mpegts")
        with open(path, "rb") as file:
            self._content = file.read()
        self._drop_after, self._refuse_from = drop_after, refuse_from
        self._span, self._once = span, once
        self.connections = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"rtsp://me:secret@127.0.0.1:{self._server.getsockname()[1]}/square"
        self._end, self._drop = threading.Event(), threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def drop(self):
        """Hang up once, now."""
        self._drop.set()

    def close(self):
        self._end.set()
        self._server.close()

    def _serve(self):
        while not self._end.is_set():
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                if self._refuse_from is None or self.connections < self._refuse_from:
                    with contextlib.suppress(OSError):
                        self._talk(connection)

    def _talk(self, connection):
        lines = connection.makefile("r", newline="\r\n")
        while not self._end.is_set():
            request = "".join(iter(lines.readline, "\r\n"))
            if not request:
                return
            method = request.split()[0]
            sequence = re.search(r"CSeq: (\d+)", request)[1]
            head, body = f"RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\nSession: 1\r\n", ""
            if method == "DESCRIBE":
                span = f"a=range:{self._span}\r\n" if self._span else ""
                body = f"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=square\r\nt=0 0\r\n{span}m=video 0 RTP/AVP 33\r\n"
                head += f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
            elif method == "SETUP":
                head += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
            connection.sendall(f"{head}\r\n{body}".encode())
            if method == "PLAY":
                return self._play(connection)

    def _play(self, connection):
        begun = time.monotonic()
        starts = range(0, len(self._content), 1316)
        for number, start in enumerate(starts if self._once else itertools.cycle(starts)):
            if self._end.is_set() or self._drop_after and time.monotonic() - begun > self._drop_after:
                return
            if self._drop.is_set():
                self._drop.clear()
                return
            chunk = self._content[start : start + 1316]
            packet = struct.pack(">BBHII", 0x80, 33, number & 0xFFFF, number * 900, 7) + chunk
            connection.sendall(b"$\0" + struct.pack(">H", len(packet)) + packet)
            time.sleep(0.01)


@pytest.fixture
def camera(tmp_path, monkeypatch):
    monkeypatch.setattr("crowdcount.video.camera._FIRST_PAUSE", 0.1)
    made = []

    def camera(**options):
        made.append(Camera(tmp_path, **options))
        return made[-1]

    yield camera
    for one in made:
        one.close()


def test_a_camera_that_drops_is_connected_again(camera, by_level, monkeypatch):
    # Beside other work the first frames alone may take several seconds, and a drop of a tenth of a second may be over
    # before anybody has looked. So it drops when frames have come, again and again, and far more seconds are allowed
    # than it takes.
    monkeypatch.setattr("crowdcount.video.camera._FIRST_PAUSE", 1.0)
    source = camera()
    messages = []
    frames = count_video(source.address, every=0.1, seconds=300, notify=messages.append, timeout=60)
    times = []
    for frame in frames:
        times.append(frame.time)
        if len(times) % 6 == 0:
            source.drop()
        assert frame.clock is not None and frame.clock.tzinfo is not None
        if any("back after" in message for message in messages):
            break
    frames.close()
    assert times[0] == 0 and times == sorted(times) and len(times) > 5
    dropped = [message for message in messages if "Connecting again" in message]
    back = [message for message in messages if "back after" in message]
    assert len(dropped) >= 1 and len(back) >= 1
    assert all("secret" not in message for message in messages)


def test_a_camera_that_stays_away_is_given_up(camera, by_level):
    source = camera(drop_after=0.5, refuse_from=2)
    begun = time.monotonic()
    with pytest.raises(VideoError, match="did not come back within 1.5 s"):
        for _ in count_video(source.address, notify=lambda message: None, timeout=2, patience=1.5):
            pass
    assert time.monotonic() - begun < 10
    # The pauses grow: 0.1, 0.2, 0.4, 0.8 s.
    assert 3 <= source.connections <= 7


def test_seconds_end_a_camera_that_is_away(camera, by_level):
    source = camera(drop_after=0.5, refuse_from=2)
    begun = time.monotonic()
    list(count_video(source.address, seconds=1.5, notify=lambda message: None, timeout=2))
    assert time.monotonic() - begun < 10


def test_a_recording_of_an_rtsp_server_is_read_once(camera, by_level):
    source = camera(span="npt=0-1.6", once=True)
    assert counted(source.address, every=0.4, seconds=10, timeout=5) == [(0, 0), (0.4, 10), (0.8, 20), (1.2, 30)]
    assert source.connections == 1


def test_a_recording_of_an_rtsp_server_that_is_cut_off_is_told(camera, by_level):
    messages = []
    source = camera(span="npt=0-100", once=True)
    assert counted(source.address, messages.append, every=0.4, seconds=10, timeout=5)[-1] == (1.2, 30)
    assert len(messages) == 1 and re.search(r"ends early, after 1\.\d s of 100\.0 s", messages[0])


@pytest.mark.parametrize("span", ["npt=now-", "npt=0-", "npt=0-0"])
def test_an_rtsp_camera_that_tells_no_length_is_no_recording(camera, by_level, span):
    frames = count_video(camera(span=span).address, notify=pytest.fail, timeout=5)
    assert next(frames).clock is not None
    frames.close()


def test_a_slow_network_gets_the_newest_frame(camera, by_level, monkeypatch):
    class Slow(ByLevel):
        def __call__(self, picture, **options):
            time.sleep(0.5)
            return super().__call__(picture, **options)

    monkeypatch.setattr(video, "Counter", Slow)
    frames = count_video(camera().address, every=0.1, notify=pytest.fail, seconds=3, timeout=5)
    begun = None
    for frame in frames:
        begun = begun or time.monotonic() - 0.5
        # Not one count behind, however many frames have come meanwhile.
        assert time.monotonic() - begun - frame.time < 1.0
    assert frame.time > 1.5


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_an_address_that_does_not_answer_ends_in_time(by_level, scheme):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"{scheme}://me:secret@127.0.0.1:{server.getsockname()[1]}/square"
        begun = time.monotonic()
        with pytest.raises(VideoError, match="does not answer within 1 s") as error:
            next(count_video(address, timeout=1.0))
        assert time.monotonic() - begun < 4
        assert "secret" not in str(error.value) and "127.0.0.1" in str(error.value)


def test_an_address_that_hangs_in_the_look_up_ends_in_time(by_level, monkeypatch):
    monkeypatch.setattr(av, "open", lambda *_, **__: time.sleep(4))
    begun = time.monotonic()
    with pytest.raises(VideoError, match="does not answer within 0.1 s"):
        next(count_video("rtsp://nowhere.invalid/", timeout=0.1))
    assert time.monotonic() - begun < 3


def test_a_refused_connection_is_one_clear_error(by_level):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(VideoError, match=f"rtsp://127.0.0.1:{port}/ cannot be opened: Connection refused"):
        next(count_video(f"rtsp://127.0.0.1:{port}/"))


@pytest.fixture
def web(tmp_path):
    """Address of a server of the folder `tmp_path`."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_recording_behind_an_address_is_read_to_its_end(tmp_path, web, by_level):
    write_video(tmp_path / "v.mp4", frames=30)
    assert counted(f"{web}/v.mp4") == [(0, 0), (1, 10), (2, 20)]
    with pytest.raises(VideoError, match="w.mp4 cannot be opened"):
        counted(f"{web}/w.mp4")


def write_playlist(folder, *, over):
    """A playlist (HLS) of three segments of a second each, to which no more come where it is over."""
    write_video(folder / "0.ts", codec="mpeg2video", rate=25, frames=75, format="mpegts")
    cuts = [0, *(packets(str(folder / "0.ts"))[number][0] for number in (25, 50)), None]
    content = (folder / "0.ts").read_bytes()
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1", "#EXT-X-MEDIA-SEQUENCE:0"]
    for number, (start, end) in enumerate(itertools.pairwise(cuts)):
        (folder / f"{number}.ts").write_bytes(content[start:end])
        lines += ["#EXTINF:1.0,", f"{number}.ts"]
    path = folder / "square.m3u8"
    path.write_text("\n".join([*lines, *["#EXT-X-ENDLIST"] * over, ""]))
    return path


needs_playlists = pytest.mark.skipif("hls" not in av.formats_available, reason="this PyAV reads no playlists")


@needs_playlists
@pytest.mark.parametrize("over", [True, False])
def test_only_a_playlist_with_an_end_is_a_recording(tmp_path, web, over):
    write_playlist(tmp_path, over=over)
    address = f"{web}/square.m3u8"
    with av.open(address, timeout=5) as container:
        assert container.size > 0
        assert video_frames.is_recording(container, address) is over


@needs_playlists
def test_a_recorded_playlist_is_read_once(tmp_path, web, by_level):
    write_playlist(tmp_path, over=True)
    assert [moment for moment, _ in counted(f"{web}/square.m3u8", seconds=10)] == [0, 1, 2]


@needs_playlists
@pytest.mark.parametrize("recorded", [True, False])
def test_a_broadcast_that_ends_is_a_camera_that_dropped(tmp_path, web, by_level, monkeypatch, recorded):
    monkeypatch.setattr("crowdcount.video.camera._FIRST_PAUSE", 0.1)
    path = write_playlist(tmp_path, over=False)
    messages = []
    frames = count_video(f"{web}/square.m3u8", every=0.01, seconds=8, notify=messages.append, timeout=5, patience=2)
    assert next(frames).clock is not None
    if recorded:
        # What was seen is not counted again.
        path.write_text(path.read_text() + "#EXT-X-ENDLIST\n")
    else:
        path.unlink()
    with pytest.raises(VideoError, match="did not come back within 2 s"):
        list(frames)
    assert [message for message in messages if "Connecting again" in message] == messages != []


@pytest.mark.parametrize(
    "address, form, duration, size, recording",
    [
        ("ftp://nas/v.mp4", "mov,mp4,m4a,3gp,3g2,mj2", 1_000_000, 900, True),
        ("SMB://nas/v.ts", "mpegts", None, 900, True),
        ("http://camera/mjpeg", "mpjpeg", None, -38, False),
        ("http://camera/live.flv", "flv", 0, -38, False),
        ("http://server/live.mpd", "dash", None, 900, False),
        ("http://server/v.mpd", "dash", 1_000_000, 900, True),
        ("http://camera/live.sdp", "sdp", None, 900, False),
        ("rtsp://camera/1", "rtsp", -5_000_000, -22, False),
        ("rtmp://server/live", "flv", 1_000_000, -38, False),
        ("srt://server:9000", "mpegts", 1_000_000, -38, False),
        ("udp://239.0.0.1:1234", "mpegts", 1_000_000, -38, False),
    ],
)
def test_a_length_makes_a_recording_where_files_can_lie(address, form, duration, size, recording):
    container = SimpleNamespace(format=SimpleNamespace(name=form), duration=duration, size=size)
    assert video_frames.is_recording(container, address) is recording


def test_the_address_of_a_file_is_its_path(tmp_path, by_level, monkeypatch):
    path = write_video(tmp_path / "a square, 50%.mp4", frames=30)
    expected = counted(path)
    monkeypatch.chdir(tmp_path)
    for address in (
        f"file://{path}",
        f"FILE://{path}",
        (tmp_path / "a square, 50%.mp4").as_uri(),
        f"file://localhost{path}",
        "file://a%20square,%2050%25.mp4",
    ):
        assert counted(address, seconds=10) == expected
        with pytest.raises(DataError, match="would replace the source, .*a square, 50%.mp4"):
            count_video(address, annotated=path)
    with pytest.raises(VideoError, match="'/missing.mp4' does not exist"):
        counted("file:///missing.mp4")


def test_a_number_is_a_webcam(tmp_path, by_level, monkeypatch):
    path = write_video(tmp_path / "v.mp4", frames=5)
    asked = []
    opening = av.open

    def opened(file, format=None, **_):
        asked.append((file, format))
        return opening(path)

    monkeypatch.setattr(av, "open", opened)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.chdir(tmp_path)
    for source in (2, "2"):
        frames = count_video(source, notify=lambda message: None)
        assert next(frames).clock is not None
        frames.close()
    assert set(asked) == {("/dev/video2", "v4l2")}
    (tmp_path / "2").touch()  # a file of that name is meant
    with pytest.raises(VideoError, match="'2' is empty"):
        next(count_video("2"))


@pytest.mark.skipif(os.path.exists("/dev/video97"), reason="there is such a webcam")
def test_a_webcam_that_is_not_there_is_one_clear_error(by_level):
    with pytest.raises(VideoError, match="Webcam 97 .*plugged in"):
        next(count_video(97))


def test_an_annotated_video_never_replaces_its_source(tmp_path, monkeypatch):
    path = write_video(tmp_path / "square.mp4")
    (tmp_path / "link.mp4").symlink_to(path)
    before = (tmp_path / "square.mp4").read_bytes()
    monkeypatch.setattr(video, "Counter", lambda *_: pytest.fail("before the work"))
    for source, annotated in ((path, path), (tmp_path / "square.mp4", str(tmp_path / "link.mp4"))):
        with pytest.raises(DataError, match="would replace the source, .*square.mp4"):
            count_video(source, annotated=annotated)
    assert (tmp_path / "square.mp4").read_bytes() == before


@pytest.mark.parametrize("source", [None, 1.5, True])
def test_what_is_no_source_is_told(source):
    with pytest.raises(VideoError, match=f"cannot be read from {type(source).__name__} {source}"):
        count_video(source)


@pytest.mark.parametrize(
    "matrix, shown",
    [
        ((-1, 0, 0, 1), lambda seen: seen[:, ::-1]),
        ((1, 0, 0, -1), lambda seen: seen[::-1]),
        ((-1, 0, 0, -1), lambda seen: seen[::-1, ::-1]),
        ((0, 1, 1, 0), lambda seen: seen.swapaxes(0, 1)),
        ((0, 1, -1, 0), lambda seen: np.rot90(seen, -1)),
        ((0, -1, 1, 0), lambda seen: np.rot90(seen, 1)),
    ],
)
def test_frames_are_turned_and_mirrored_as_players_show_them(rng, matrix, shown):
    """By the display matrix of ISO/IEC 14496-12: cameras upside down, films of mirrors."""
    pixels = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    a, b, c, d = (65536 * value for value in matrix)

    class Matrix(bytes):
        type = SimpleNamespace(name="DISPLAYMATRIX")

    frame = SimpleNamespace(
        width=8,
        height=6,
        rotation=0,
        side_data=[Matrix(np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], "<i4").tobytes())],
        to_ndarray=lambda **_: pixels,
    )
    np.testing.assert_array_equal(VideoMoment(0.0, None, frame).picture(), shown(pixels))


@pytest.mark.parametrize("seconds", [4, 10])
def test_a_time_lapse_ends_when_its_last_frame_was_shown(tmp_path, seconds):
    """Frames seconds apart: the last one lasts as long, and the file is whole."""
    av = pytest.importorskip("av")
    path, told = tmp_path / "lapse.mp4", []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for index in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 40 * index, np.uint8), format="rgb24")
            frame.pts, frame.time_base = 1000 * seconds * index, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    moments = list(read_frames(str(path), notify=told.append))
    assert len(moments) == 5 and not told
