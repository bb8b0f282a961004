"""Model folders and Hub repositories to named arrays, and back."""

from headway.checkpoints.files import weight_files, weights_hash
from headway.checkpoints.loading import Checkpoint, describe_new_weights, load_checkpoint, load_config
from headway.checkpoints.location import locate, shipped_models, shipped_parts
from headway.checkpoints.mapped import taken_over
from headway.checkpoints.pushing import push_folder
from headway.checkpoints.saving import save_checkpoint

__all__ = [
    "Checkpoint",
    "describe_new_weights",
    "load_checkpoint",
    "load_config",
    "locate",
    "push_folder",
    "save_checkpoint",
    "shipped_models",
    "shipped_parts",
    "taken_over",
    "weight_files",
    "weights_hash",
]
