"""Random numbers for the compiled kernels of the simulation.

The random state is an explicit array of four 64-bit words, so that a shower depends on its seed alone: not on the
process, nor on what was simulated before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from magicnn.compiled import compiled

__all__ = ["RandomState", "exponential", "normal_pair", "poisson", "random_state", "uniform"]

RandomState = NDArray[np.uint64]


def random_state(seed: int | Sequence[int]) -> RandomState:
    """Spread a seed over the 256 bits of a generator's state.

    Parameters
    ----------
    seed : int or sequence of int
        Non-negative; a sequence such as ``(run_seed, shower_number)`` gives independent streams.

    Returns
    -------
    uint64 array, [4]
    """
    return np.asarray(np.random.SeedSequence(seed).generate_state(4, np.uint64), dtype=np.uint64)


_23, _41, _45, _19, _17, _11 = (np.uint64(n) for n in (23, 41, 45, 19, 17, 11))


@compiled
def uniform(state: RandomState) -> float:
    """Draw from the open interval (0, 1).

    Notes
    -----
    xoshiro256++ of D. Blackman and S. Vigna, ACM Trans. Math. Softw. 47 (2021) 36.
    """
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    total = s0 + s3
    result = ((total << _23) | (total >> _41)) + s0
    shifted = s1 << _17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = (s3 << _45) | (s3 >> _19)
    state[0], state[1], state[2], state[3] = s0, s1, s2, s3
    return (np.float64(result >> _11) + 0.5) * 1.1102230246251565e-16


@compiled
def exponential(state: RandomState) -> float:
    """Draw from the exponential distribution of mean 1."""
    return -math.log(uniform(state))


@compiled
def normal_pair(state: RandomState) -> tuple[float, float]:
    """Draw two independent standard normal numbers (Marsaglia's polar method)."""
    while True:
        a = 2.0 * uniform(state) - 1.0
        b = 2.0 * uniform(state) - 1.0
        r2 = a * a + b * b
        if r2 < 1.0:
            scale = math.sqrt(-2.0 * math.log(r2) / r2)
            return a * scale, b * scale


@compiled
def poisson(mean: float, state: RandomState) -> int:
    """Draw a Poisson number; above a mean of 100 the normal approximation serves."""
    if mean > 100.0:
        return max(0, int(mean + math.sqrt(mean) * normal_pair(state)[0] + 0.5))
    limit = math.exp(-mean)
    product = uniform(state)
    count = 0
    while product > limit:
        product *= uniform(state)
        count += 1
    return count
