"""Judging predictions: pure functions of prediction tables that never see a model."""

from magicnn.evaluation.evaluate import EvaluationSettings, evaluate
from magicnn.evaluation.metrics_table import MetricRow, MetricsTable

__all__ = ["EvaluationSettings", "MetricRow", "MetricsTable", "evaluate"]
