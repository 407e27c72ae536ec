"""What networks are compared with: energy lookup tables and random forests on image parameters."""

from magicnn.baselines.predictions import event_columns, predict_table

__all__ = ["event_columns", "predict_table"]
