"""What networks are compared with: energy lookup tables and random forests on image parameters."""

from magicnn.baselines.predictions import event_columns, predict_table
from magicnn.baselines.suite import Baselines, BaselineSettings

__all__ = ["BaselineSettings", "Baselines", "event_columns", "predict_table"]
