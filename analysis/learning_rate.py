"""Which peak learning rate is best: one network per rate.

python analysis/learning_rate.py train/gamma_diffuse.h5 train/proton.h5 --rates 5e-4 1e-3 2e-3 4e-3 8e-3
"""

from variants import Variant, guarded, options, scan


def main():
    """Read the arguments and train."""
    parser = options(__doc__, "runs/learning_rate")
    parser.add_argument("--rates", nargs="+", type=float, default=[5e-4, 1e-3, 2e-3, 4e-3, 8e-3])
    arguments = parser.parse_args()
    variants = {f"rate_{rate:g}": Variant(rate, (f"training.learning_rate={rate!r}",)) for rate in arguments.rates}
    scan(arguments, variants, "peak learning rate")


if __name__ == "__main__":
    guarded(main)
