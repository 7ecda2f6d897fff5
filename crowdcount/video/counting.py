"""Counting over time: a video, a webcam or a network camera -> a count every so many seconds.

Each counted frame goes through the same function as a picture does. Nothing in memory grows with the length
of the video, but for the index of an annotated one: a camera may be watched for days. Needs PyAV (the extra
`video`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Generator
from contextlib import closing, nullcontext
from numbers import Real
from typing import TYPE_CHECKING

from crowdcount.area.ground import people_per_square_meter, read_ground
from crowdcount.area.zone_files import read_zones
from crowdcount.area.zones import count_zones
from crowdcount.counting.doubts import Doubt
from crowdcount.counting.pictures import Counter
from crowdcount.counting.ranges import COVERAGE
from crowdcount.counting.results import CountResult
from crowdcount.counting.scale import LEAST, MOST, check_scale
from crowdcount.errors import DataError, VideoError
from crowdcount.network.loading import Model
from crowdcount.video.decoding import Notify, VideoMoment
from crowdcount.video.files import AnnotatedVideo
from crowdcount.video.frames import VideoSource, read_frames, require_av, source_name, video_path
from crowdcount.video.results import FrameCount
from crowdcount.video.smoothing import Estimate, Smoother

if TYPE_CHECKING:
    from crowdcount.area.geometry import Size
    from crowdcount.area.ground import Ground
    from crowdcount.area.zone_files import ZoneSource
    from crowdcount.area.zones import Zone

SMOOTH = 5.0
"""Seconds over which counts are smoothed, unless others are asked for."""

# People in the frame that settles the scale: of fewer the sizes tell little, and which way is up neither.
_SETTLED = 10
# Upright frames by which a camera is known to be upright: they must lead the lying ones by so many.
_LEAD = 2
# Times that should be whole multiples of the interval miss them by a rounding error of the video's clock.
_SLACK = 1e-3


def count_video(
    source: VideoSource,
    *,
    every: float = 1.0,
    zones: ZoneSource | None = None,
    ground: ZoneSource | Ground | None = None,
    model: Model = "general",
    seconds: float | None = None,
    smooth: float = SMOOTH,
    coverage: float = COVERAGE,
    scale: float | None = None,
    annotated: str | os.PathLike | None = None,
    timeout: float = 10.0,
    patience: float = 600.0,
    notify: Notify | None = None,
) -> Generator[FrameCount, None, None]:
    """Count the people in a video or before a camera, again and again.

    Frames are chosen by their times, not by their numbers: the first one, and from there the first at or
    after every multiple of `every`. Where the network needs longer than that, a recording waits for it; of a
    camera the newest frame is taken, and the moments in between are left out.

    The counts are smoothed: each is the mean of all counts so far, weighted by `exp(-age / smooth)`. Where
    they come much more often than that, a change shows to about two thirds after the time `smooth`. Of counts
    that lie `smooth` apart the newest makes up 63 % or more of the mean, three times as far apart 95 % or more.

    Args:
        source: path of a video; address of one or of a camera (`rtsp://...`, `http://...`); or the number of
            a webcam, 0 for the first.
        every: seconds from one count to the next.
        zones: zones to count in, see `zones.read_zones`, in pixels of the upright frame or in fractions.
        ground: where the frame's points lie in meters, see `ground.read_ground`: gives people per square meter in the
            zones or, without zones, between its points.
        model: as for `counting.count`.
        seconds: stop after so many seconds of the video or the camera.
        smooth: time constant of the smoothing in seconds; 0 for none.
        coverage: as for `counting.count`. The range is one for single pictures.
        scale: as for `counting.count`. None: the first frame with ten people or more chooses, and all that follow
            are counted at its scale: a camera's heads stay as large as they are, and counts don't jump. Nor does a
            camera turn: where such frames are upright, later ones are not said to lie on their side.
        annotated: write a video with the density map over every frame, the count, the time and the zones to
            this file (`.mp4`, `.mov` or `.mkv`). It is whole once the iteration has ended, in whatever way:
            at the video's end, by an error, by `close()` or by Ctrl-C. Until then `.mp4` and `.mov` hold 72
            bytes of memory for each frame, `.mkv` 3: choose that for days.
        timeout: seconds within which an address has to answer, and after which silence means that it dropped.
        patience: seconds for which a camera that dropped is tried again, at growing pauses.
        notify: called with a sentence for each thing that was left out, dropped or found again;
            `warnings.warn` where None.

    Returns:
        An iterator of `FrameCount`.

    Raises:
        MissingPackageError: if PyAV is missing.
        VideoError: if the source cannot be read or has no frames, a camera stays away, or,
            after the last frame, if the annotated video could not be written.
        DataError: if zones or ground cannot be used or lie outside the frame, a number is out of range, or the
            annotated video would replace the source.
        WeightsError: if there is no such network, or its file is damaged.

    Example:
        >>> for frame in count_video("square.mp4", every=10):  # doctest: +SKIP
        ...     print(f"{frame.time:.0f} s: {frame.count:.0f} people")
        0 s: 212 people
        10 s: 218 people
    """
    for name, value, least in (
        ("every", every, "above 0"),
        ("seconds", seconds, "above 0"),
        ("smooth", smooth, "0 or more"),
        ("timeout", timeout, "above 0"),
        ("patience", patience, "0 or more"),
    ):
        if value is None and name in ("seconds", "smooth"):
            continue
        number = value if isinstance(value, Real) and not isinstance(value, bool) else math.nan
        endless = number == math.inf and name in ("timeout", "patience")
        if not (math.isfinite(number) or endless) or number < 0 or number == 0 and least == "above 0":
            raise DataError(f"{name} must be a number of seconds {least}. Received: {name}={value!r}")
    if scale is not None:
        check_scale(scale)
    require_av()
    source_name(source)  # raises for what is no source
    path = video_path(source)
    film_path = None if annotated is None else os.path.realpath(annotated)
    if path is not None and os.path.isfile(path) and film_path == os.path.realpath(path):
        raise DataError(f"The annotated video would replace the source, {path}. Choose another file.")
    plane = None if ground is None else read_ground(ground)
    named = read_zones(zones) if zones is not None else []
    if plane is not None and not named:
        named = [plane.measured()]
    film = None if annotated is None else AnnotatedVideo(annotated, named, notify or _warn)
    counter = Counter(model, coverage, scale, "rgb", None, False)  # before a camera is kept waiting
    moments = read_frames(source, seconds=seconds, timeout=timeout, patience=patience, notify=notify or _warn)
    return _counted(moments, film, max(every, _SLACK), named, plane, counter, Smoother(smooth), notify or _warn)


def _counted(
    moments: Generator[VideoMoment, None, None],
    film: AnnotatedVideo | None,
    every: float,
    zones: list[Zone],
    ground: Ground | None,
    counter: Counter,
    smoother: Smoother,
    notify: Notify,
) -> Generator[FrameCount, None, None]:
    due = 0.0
    frame: FrameCount | None = None
    last: Size | None = None
    upright = 0
    with film or nullcontext(), closing(moments):
        for moment in moments:
            is_due = moment.time >= due - _SLACK
            if is_due:
                due = (math.floor((moment.time + _SLACK) / every) + 1) * every
                picture = moment.picture()
                size = picture.shape[:2]
                if last is not None and size != last:
                    # The camera shows the same place: zones go along, and heads have other sizes.
                    zones = [zone.drawn(last) for zone in zones]
                    ground = ground and ground.drawn(last)
                    counter.scale = counter.scale and min(max(counter.scale * last[0] / size[0], LEAST), MOST)
                    notify(
                        f"The frames have {size[1]}x{size[0]} pixels from {moment.time:.1f} s on, {last[1]}x{last[0]} "
                        "before: zones and scale go along."
                    )
                last = size
                result = counter(picture, upright=upright >= _LEAD)
                if result.count >= _SETTLED:
                    counter.scale = result.scale if counter.scale is None else counter.scale
                    upright += -1 if Doubt.SIDE in result.doubts else 1
                frame = _frame_count(moment, result, zones, smoother)
                if ground is not None:  # before the film begins: one that does not fit replaces no older film
                    frame.per_m2 = people_per_square_meter(frame.zones, zones, ground, size)
            assert frame is not None  # the first one is due
            if film is not None:
                film.add(moment.time, picture if is_due else moment.picture(), frame)
            if is_due:
                yield frame
    if film is not None and film.failure:
        raise VideoError(film.failure)


def _frame_count(moment: VideoMoment, result: CountResult, zones: list[Zone], smoother: Smoother) -> FrameCount:
    ends = None if result.low is None or result.high is None else (result.low, result.high)
    ranges = result.zone_ranges(zones) if ends and zones else {}
    people = count_zones(result.density, zones, (result.height, result.width))
    frame, by_zone = smoother(
        moment.time,
        Estimate.of(result.count, ends),
        {name: Estimate.of(inside, ranges.get(name)) for name, inside in people.items()},
    )
    return FrameCount(
        time=moment.time,
        count=frame.people,
        low=frame.low if ends else None,
        high=frame.high if ends else None,
        zones={name: zone.people for name, zone in by_zone.items()},
        alone=result.count,
        density=result.density,
        width=result.width,
        height=result.height,
        clock=moment.clock,
        warnings=result.warnings,
        zone_ranges={name: (zone.low, zone.high) for name, zone in by_zone.items() if ranges.get(name)},
        scale=result.scale,
        thing=result.thing,
    )


def _warn(message: str) -> None:
    import warnings

    warnings.warn(message, stacklevel=2)
