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
    "CSRNet": "model",
    "CountFailure": "counting",
    "CountResult": "counting",
    "CountSeries": "video_chart",
    "CrowdCountError": "errors",
    "FrameCount": "video",
    "Ground": "ground",
    "Sample": "annotations",
    "VideoError": "video_frames",
    "Zone": "zones",
    "adaptive_sigma": "density",
    "check_folder": "checking",
    "compare": "comparison",
    "count": "counting",
    "count_many": "counting",
    "count_video": "video",
    "count_zones": "zones",
    "density_map": "density",
    "draw_crowd": "synthetic",
    "evaluate": "evaluation",
    "export_model": "export",
    "find_heads": "heads",
    "level_of_service": "ground",
    "list_models": "model_files",
    "load_dataset": "annotations",
    "load_model": "model_files",
    "load_picture": "images",
    "match_heads": "heads",
    "read_zones": "zones",
    "save_heads": "heads",
    "select_zones": "zone_widget",
    "train": "training",
    "write_report": "report",
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
