"""Compare the simulation with published values and theory, line by line, and write docs/validation.md.

    python analysis/validate_simulation.py                  # everything
    python analysis/validate_simulation.py --only light     # one group
    python analysis/validate_simulation.py --scale 0.1      # a tenth of the showers

Results are kept in the folder of --work: a run that was killed continues, and one of the same settings and code only
draws. Lines of groups that were not asked for are taken from the table that is there. Ends with status 1 when a line
fails of which investigations.yaml says nothing.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from validation.groups import GROUPS, validate_groups
from validation.page import unexplained, write_page
from validation.store import Store

from magicnn.runs import configure_logging

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Run the groups, and write table, figures and page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=sorted(GROUPS), help="one group of lines; repeatable")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on all numbers of showers (default: 1)")
    parser.add_argument(
        "--work", type=Path, default=Path("runs/validation"), help="intermediate results (default: %(default)s)"
    )
    parser.add_argument(
        "--docs", type=Path, default=ROOT / "docs", help="where validation.md and figures/validation go"
    )
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("MAGICNN_TEST_DATA"), help="real files and CORSIKA showers"
    )
    parser.add_argument("--production", type=Path, help="folder of event sets of a large production")
    args = parser.parse_args()
    configure_logging(0)
    store = Store(args.work, ROOT / "mc_configs", args.scale, args.data, args.production)
    records = validate_groups(store, args.only or list(GROUPS), args.docs / "figures" / "validation")
    for record in records:
        for line in record["lines"]:
            print(
                f"{line['verdict']:12s} {record['name']:10s} {line['quantity']}: {line['shown']} [{line['accepted']}]"
            )
    print(write_page(records, args.docs))
    if missing := unexplained(records):
        parser.exit(1, f"no investigation in analysis/validation/investigations.yaml of: {', '.join(missing)}\n")


if __name__ == "__main__":
    main()
