"""What the zones of a counted picture hold, as a record: of JSON, of the command line, of the local server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crowdcount.area.ground import SERVICE_LEVELS, level_of_service, people_per_square_meter
from crowdcount.area.zones import count_zones
from crowdcount.errors import CrowdCountError

if TYPE_CHECKING:
    import numpy as np

    from crowdcount.area.geometry import Size
    from crowdcount.area.ground import Ground
    from crowdcount.area.zones import Zone
    from crowdcount.counting.results import CountResult


def zone_columns(density: np.ndarray, zones: Sequence[Zone], ground: Ground | None, size: Size) -> dict:
    """What the zones of a picture hold.

    Args:
        density: people a cell, shape (ceil(height / 8), ceil(width / 8)).
        zones: the zones.
        ground: where the picture's points lie, or None.
        size: (height, width) of the picture in pixels.

    Returns:
        `zones`: name -> people. With a ground `per_m2`: name -> people per square meter, and `level_of_service`:
        name -> use -> Fruin's letter. Where zones or ground do not fit the picture `error` in place of the rest.

    Example:
        >>> import numpy as np
        >>> from crowdcount.area.zones import Zone
        >>> half = Zone("left half", [[0, 0], [0.5, 0], [0.5, 1], [0, 1]])
        >>> zone_columns(np.ones((2, 2)), [half], None, (16, 16))
        {'zones': {'left half': 2.0}}
    """
    columns: dict = {}
    try:
        counts = count_zones(density, zones, size)
        # Digits enough to add up to the count.
        columns["zones"] = {name: round(people, 6) for name, people in counts.items()}
        if ground is not None:
            per_m2 = people_per_square_meter(counts, zones, ground, size)
            columns["per_m2"] = {name: round(people, 6) for name, people in per_m2.items()}
            columns["level_of_service"] = {
                name: {use: level_of_service(people, use) for use in SERVICE_LEVELS} for name, people in per_m2.items()
            }
    except CrowdCountError as error:
        columns["error"] = str(error)
    return columns


def range_columns(result: CountResult, zones: Sequence[Zone]) -> dict:
    """The ranges of the zones of a picture.

    Args:
        result: its count.
        zones: zones that fit the picture.

    Returns:
        `zone_ranges`: name -> [low, high], of the zones that there is ground for one of, see
        `CountResult.zone_ranges`; empty where there is none.

    Example:
        >>> import numpy as np
        >>> from crowdcount.counting.results import CountResult
        >>> from crowdcount.area.zones import Zone
        >>> half = Zone("left half", [[0, 0], [0.5, 0], [0.5, 1], [0, 1]])
        >>> range_columns(CountResult(4.0, np.ones((2, 2)), "a.jpg", 16, 16, "general", 0.1), [half])
        {}
    """
    found = result.zone_ranges(zones).items()
    ranges = {name: [round(end, 3) for end in ends] for name, ends in found if ends is not None}
    return {"zone_ranges": ranges} if ranges else {}
