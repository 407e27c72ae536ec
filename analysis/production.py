"""The large production: every configuration in many parts, made in rounds, continued when started again.

    python analysis/production.py --scale 0.1 --output runs/production

Part ROUND of a configuration becomes OUTPUT/NAME/part_ROUND.h5. A scale below 1 makes fewer rounds, so that a small
production is the beginning of the large one. After each round a table says what there is, triggered events and
Kish-effective ones, (sum w)^2 / sum w^2, per second of CPU, and how long the whole takes at that speed. Kept with
the numbers of every part: OUTPUT/throughput.json.
"""

import argparse
import math
import resource
import time
from pathlib import Path

from magicnn.cli.places import chosen_place
from magicnn.config import read_yaml
from magicnn.errors import ConfigError, MagicnnError
from magicnn.events import event_weight
from magicnn.executors import n_cores
from magicnn.io.eventset.reader import EventSet
from magicnn.io.eventset.writer import partial_path
from magicnn.runs import configure_logging, read_json, write_json
from magicnn.simulation.production import produce
from magicnn.simulation.settings import settings_from_yaml


def cpu_s():
    """Return the CPU time of this process and of its workers that have ended."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def make_part(settings, path, n_events, seed, workers):
    """Simulate one part; return what it took, None when it was there or begun before."""
    is_new = not path.exists() and not partial_path(path).exists()
    cpu, wall = cpu_s(), time.monotonic()
    produce(settings, path, n_events=n_events, seed=seed, workers=workers)
    with EventSet(path) as events:
        weight = event_weight(events.columns(["event_id", *(n for n in events.column_names if n == "weight")]))
        showers = int(events.meta.generated["n_showers"])
    record = {
        "name": settings.name,
        "events": len(weight),
        "kish": float(weight.sum() ** 2 / (weight**2).sum()),
        "showers": showers,
        "bytes": path.stat().st_size,
    }
    if is_new:
        record |= {"cpu_s": cpu_s() - cpu, "wall_s": time.monotonic() - wall}
    return record


def show(parts, wanted, workers):
    """Print what there is of every configuration, its speed, and the time that is left."""
    print(f"{'configuration':28} {'events':>15} {'events/CPU s':>12} {'Kish/CPU s':>10} {'MB':>8} {'whole, CPU h':>12}")
    there, total_h, left_h, size = 0, 0.0, 0.0, 0.0
    for name, number in wanted.items():
        mine = [p for p in parts.values() if p["name"] == name]
        timed = [p for p in mine if "cpu_s" in p]
        events, megabytes = sum(p["events"] for p in mine), sum(p["bytes"] for p in mine) / 1e6
        there, size = there + events, size + megabytes
        line = f"{name:28} {events:>7}/{number:>7}"
        if timed:
            spent = sum(p["cpu_s"] for p in timed)
            speed = sum(p["events"] for p in timed) / spent
            hours = number / speed / 3600.0
            total_h += hours
            left_h += max(number - events, 0) / speed / 3600.0
            effective = sum(p["kish"] for p in timed) / spent
            line += f" {speed:>12.2f} {effective:>10.2f} {megabytes:>8.0f} {hours:>12.2f}"
        print(line)
    print(
        f"{there} of {sum(wanted.values())} events, {size:.0f} MB; the whole takes {total_h:.1f} h of CPU, "
        f"{left_h:.1f} h are left: {left_h / workers:.1f} h on {workers} cores",
        flush=True,
    )


def main():
    """Read the arguments and make the rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path(__file__).parents[1] / "mc_configs" / "production.yaml")
    parser.add_argument("--output", type=Path, default=Path("runs/production"))
    parser.add_argument("--scale", type=float, default=1.0, help="share of the rounds")
    parser.add_argument("--workers", type=int, help="local processes, one per core when not given")
    parser.add_argument("--dask", metavar="ADDRESS", help="use the workers of this Dask scheduler instead")
    parser.add_argument("--slurm", metavar="FILE", type=Path, help="use Slurm jobs instead, as this YAML file says")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for every configuration")
    arguments = parser.parse_args()
    configure_logging(-1)
    place = chosen_place(arguments.workers, arguments.dask, arguments.slurm)
    plan = read_yaml(arguments.config)
    if not 0.0 < arguments.scale <= 1.0:
        raise ConfigError(f"--scale {arguments.scale}: expected a share above 0 and up to 1")
    n_rounds = math.ceil(arguments.scale * plan["rounds"])
    each = [
        (
            settings_from_yaml(arguments.config.with_name(f"{particle}_{zenith}.yaml"), arguments.set),
            math.ceil(number / plan["rounds"]),
        )
        for zenith in plan["zenith_ranges"]
        for particle, number in plan["events"].items()
    ]
    table = arguments.output / "throughput.json"
    parts = read_json(table) if table.exists() else {}
    wanted = {settings.name: n_rounds * number for settings, number in each}
    for turn in range(n_rounds):
        for settings, number in each:
            path = arguments.output / settings.name / f"part_{turn:03d}.h5"
            key = f"{settings.name}/{path.stem}"
            if key in parts and path.exists():
                continue
            parts[key] = make_part(settings, path, number, plan["seed"] + turn, place)
            write_json(table, parts)
            print(f"{time.strftime('%H:%M:%S')} {path}: {parts[key]['events']} events", flush=True)
        show(parts, wanted, arguments.workers or n_cores())


if __name__ == "__main__":
    try:
        main()
    except MagicnnError as error:
        raise SystemExit(f"{error}") from None
    except KeyboardInterrupt:
        raise SystemExit("interrupted; the same command continues") from None
