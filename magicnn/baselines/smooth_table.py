"""Mean and RMS of a quantity over two axes: binned, smoothed only where events are few, interpolated when read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.errors import InputError

__all__ = ["SmoothTable"]

Floats = NDArray[np.float64]

_WIDTHS = (0.0, 0.5, 0.8, 1.2, 1.7)
"""Gaussian smoothing in bins, tried in this order until enough events contribute."""


@dataclass(frozen=True, eq=False)
class SmoothTable:
    """A two-dimensional lookup table.

    Attributes
    ----------
    x_edges, y_edges : float64 array, [X + 1], [Y + 1]
        Bin edges, increasing.
    mean, rms : float64 array, [X, Y]
        Weighted mean of the content and RMS about it; NaN where too few events lie near.
    """

    x_edges: Floats
    y_edges: Floats
    mean: Floats
    rms: Floats

    @classmethod
    def fill(
        cls,
        x: ArrayLike,
        y: ArrayLike,
        content: ArrayLike,
        *,
        weights: ArrayLike,
        x_edges: ArrayLike,
        y_edges: ArrayLike,
        min_events: float,
    ) -> SmoothTable:
        """Fill from events.

        Parameters
        ----------
        x, y, content, weights : array_like, [N]
            Position, value and weight of each event; events with a NaN or outside the edges are left out.
        x_edges, y_edges : array_like
            Bin edges, increasing.
        min_events : float
            Events that must contribute to a cell. A cell with fewer borrows from its neighbours with a Gaussian of
            0.5 to 1.7 bins, as narrow as reaches this number; one that even then has fewer stays empty.

        Returns
        -------
        SmoothTable
        """
        from scipy.ndimage import gaussian_filter

        edges = [np.asarray(x_edges, dtype=np.float64), np.asarray(y_edges, dtype=np.float64)]
        columns = np.stack([np.asarray(a, dtype=np.float64) for a in (x, y, content, weights)])
        px, py, value, weight = columns[:, np.isfinite(columns).all(axis=0)]

        def binned(values: Floats) -> Floats:
            sums: Floats = np.histogram2d(px, py, bins=edges, weights=values)[0]
            return sums

        cells = [binned(np.ones_like(weight)), binned(weight), binned(weight * value), binned(weight * value**2)]
        shape = cells[0].shape
        mean, rms, missing = np.full(shape, np.nan), np.full(shape, np.nan), np.ones(shape, dtype=bool)
        for width in _WIDTHS:
            # scaled such that an event in the middle of the cell counts as one
            scale = max(1.0, 2.0 * np.pi * width**2)
            count, total, first, second = (
                scale * gaussian_filter(s, width, mode="constant") if width else s for s in cells
            )
            ready = missing & (count >= min_events) & (total > 0.0)
            mean[ready] = first[ready] / total[ready]
            rms[ready] = np.sqrt(np.maximum(second[ready] / total[ready] - mean[ready] ** 2, 0.0))
            missing &= ~ready
        return cls(edges[0], edges[1], mean, rms)

    def __call__(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Interpolate between the centres of the cells.

        Parameters
        ----------
        x, y : array_like, [N]
            Positions.

        Returns
        -------
        mean, rms : float64 array, [N]
            NaN outside the edges and in cells without content; of the neighbouring cells only those with content
            take part.
        """
        px, py = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        inside = (px >= self.x_edges[0]) & (px <= self.x_edges[-1]) & (py >= self.y_edges[0]) & (py <= self.y_edges[-1])
        low_x, part_x = _between_centres(self.x_edges, np.where(inside, px, self.x_edges[0]))
        low_y, part_y = _between_centres(self.y_edges, np.where(inside, py, self.y_edges[0]))
        own = np.isfinite(self.mean[np.rint(low_x + part_x).astype(np.int64), np.rint(low_y + part_y).astype(np.int64)])
        total, mean, rms = np.zeros(px.shape), np.zeros(px.shape), np.zeros(px.shape)
        for step_x in (0, 1):
            for step_y in (0, 1):
                ix = np.minimum(low_x + step_x, self.mean.shape[0] - 1)
                iy = np.minimum(low_y + step_y, self.mean.shape[1] - 1)
                share = (part_x if step_x else 1.0 - part_x) * (part_y if step_y else 1.0 - part_y)
                share = np.where(np.isfinite(self.mean[ix, iy]), share, 0.0)
                total += share
                mean += share * np.nan_to_num(self.mean[ix, iy])
                rms += share * np.nan_to_num(self.rms[ix, iy])
        known = inside & own & (total > 0.0)
        safe = np.where(known, total, 1.0)
        return np.where(known, mean / safe, np.nan), np.where(known, rms / safe, np.nan)

    def to_arrays(self) -> dict[str, Floats]:
        """Return the arrays for a file."""
        return {"x_edges": self.x_edges, "y_edges": self.y_edges, "mean": self.mean, "rms": self.rms}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Floats]) -> SmoothTable:
        """Rebuild from what `to_arrays` returned.

        Raises
        ------
        InputError
            The shapes do not fit together.
        """
        table = cls(
            **{name: np.asarray(arrays[name], dtype=np.float64) for name in ("x_edges", "y_edges", "mean", "rms")}
        )
        shape = (len(table.x_edges) - 1, len(table.y_edges) - 1)
        if table.mean.shape != shape or table.rms.shape != shape:
            raise InputError(f"lookup table: expected cells of shape {shape}, got {table.mean.shape}")
        return table


def _between_centres(edges: Floats, values: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Lower of the two bins whose centres enclose a value, and how far it is from there to the next, 0 to 1."""
    centres = 0.5 * (edges[1:] + edges[:-1])
    position = np.interp(values, centres, np.arange(len(centres)))
    low = np.floor(position).astype(np.int64)
    return low, position - low
