"""How large an image branch is worth it: networks of several widths and numbers of residual blocks.

    python analysis/depth_width.py train/gamma_diffuse.h5 train/proton.h5 --widths 16,32 32,64 48,96 --blocks 1 2

The figure is against the sum of the widths times the blocks; the table names the parameters of each.
"""

from variants import Variant, guarded, options, scan


def main():
    """Read the arguments and train."""
    parser = options(__doc__, "runs/depth_width")
    parser.add_argument("--widths", nargs="+", default=["16,32", "32,64", "48,96"], help="channels of the stages")
    parser.add_argument("--blocks", nargs="+", type=int, default=[1, 2], help="residual blocks of each stage")
    arguments = parser.parse_args()
    variants = {}
    for text in arguments.widths:
        widths = [int(part) for part in text.split(",")]
        for blocks in arguments.blocks:
            shape = f"network.arguments={{stem: {widths[0] // 2}, widths: {widths}, blocks: {blocks}}}"
            name = f"widths_{'_'.join(map(str, widths))}_blocks_{blocks}"
            variants[name] = Variant(sum(widths) * blocks, (shape,))
    scan(arguments, variants, "sum of widths times blocks")


if __name__ == "__main__":
    guarded(main)
