"""Count people in pictures of crowds with CSRNet, train it, learn how it works.

    >>> import crowdcount
    >>> result = crowdcount.count("march.jpg")  # doctest: +SKIP
    >>> result.count  # doctest: +SKIP
    1243.7

The public names are imported when they are first used: `import crowdcount` loads neither TensorFlow nor NumPy.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "CSRNet": "network.csrnet",
    "CountFailure": "counting.results",
    "CountResult": "counting.results",
    "CountSeries": "video.chart",
    "CrowdCountError": "errors",
    "FrameCount": "video.results",
    "Ground": "area.ground",
    "Sample": "data.annotations",
    "VideoError": "errors",
    "Zone": "area.zones",
    "adaptive_sigma": "data.density",
    "check_folder": "data.checking",
    "compare": "counting.comparison",
    "count": "counting.pictures",
    "count_many": "counting.pictures",
    "count_video": "video.counting",
    "count_zones": "area.zones",
    "density_map": "data.density",
    "draw_crowd": "drawn.crowds",
    "evaluate": "measuring.evaluation",
    "export_model": "network.export",
    "find_heads": "counting.heads",
    "level_of_service": "area.ground",
    "list_models": "network.cards",
    "load_dataset": "data.annotations",
    "load_model": "network.loading",
    "load_picture": "data.images",
    "match_heads": "counting.heads",
    "read_zones": "area.zones",
    "save_heads": "counting.head_files",
    "select_zones": "area.widget",
    "train": "training.run",
    "write_report": "counting.report",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'crowdcount' has no attribute {name!r}")
    value = getattr(import_module(f"crowdcount.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
