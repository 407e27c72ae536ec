"""How much more events would help: networks trained on a growing share of the showers.

    python analysis/learning_curve.py train/gamma_diffuse.h5 train/proton.h5 --shares 0.1 0.2 0.4 0.7 1

A larger share contains the smaller ones, and all are validated on the same showers.
"""

from variants import Variant, guarded, options, scan

from magicnn.nn.data import derived_seed
from magicnn.splits import split_by_shower


def keep(share):
    """Return the choice of a share of the training showers, and of all that validate."""

    def select(shower_id, settings):
        training = settings.training
        rest = training.validation_fraction
        seed = derived_seed(training.seed, "validation")
        validates = split_by_shower(shower_id, [1.0 - rest, rest], seed=seed) == 1
        return validates | (split_by_shower(shower_id, [share, 1.0 - share], seed=training.seed) == 0)

    return select if share < 1.0 else None


def main():
    """Read the arguments and train."""
    parser = options(__doc__, "runs/learning_curve")
    parser.add_argument("--shares", nargs="+", type=float, default=[0.1, 0.2, 0.4, 0.7, 1.0], help="of the showers")
    arguments = parser.parse_args()
    variants = {f"share_{share:g}": Variant(share, select=keep(share)) for share in arguments.shares}
    scan(arguments, variants, "share of the training showers")


if __name__ == "__main__":
    guarded(main)
