"""The public names and where they live, for the lazy `__init__.py` and for editors and type checkers alike."""

from . import errors as errors
from .annotating.widget import annotate as annotate
from .annotating.zone_widget import select_zones as select_zones
from .area.ground import (
    Ground as Ground,
    level_of_service as level_of_service,
    read_ground as read_ground,
)
from .area.zone_files import read_zones as read_zones
from .area.zones import Zone as Zone, count_zones as count_zones
from .counting.comparison import compare as compare
from .counting.head_files import save_heads as save_heads
from .counting.heads import find_heads as find_heads, match_heads as match_heads
from .counting.pictures import count as count, count_many as count_many
from .counting.report import write_report as write_report
from .counting.results import CountFailure as CountFailure, CountResult as CountResult
from .data.annotations import Sample as Sample, load_dataset as load_dataset
from .data.checking import check_folder as check_folder
from .data.density import adaptive_sigma as adaptive_sigma, density_map as density_map
from .data.images import load_picture as load_picture
from .drawn.crowds import draw_crowd as draw_crowd
from .errors import CrowdCountError as CrowdCountError, VideoError as VideoError
from .measuring.description import describe as describe
from .measuring.evaluation import evaluate as evaluate
from .network.cards import list_models as list_models
from .network.csrnet import CSRNet as CSRNet
from .network.export import export_model as export_model
from .network.loading import load_model as load_model
from .training.run import train as train
from .video.chart import CountSeries as CountSeries
from .video.counting import count_video as count_video
from .video.results import FrameCount as FrameCount

__version__: str
