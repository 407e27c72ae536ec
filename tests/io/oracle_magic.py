"""Run by the environment of `tools/oracles.py magic`: what MAGICEventSource reads from a file, as an .npz file."""

import sys
from decimal import Decimal

import numpy as np
from ctapipe_io_magic import MAGICEventSource


def main(path, output):
    rows = []
    with MAGICEventSource(input_url=path, process_run=False) as source:
        tel = source.telescope
        for event in source:
            row = {
                "event_id": int(event.index.event_id),
                "run_id": int(event.index.obs_id),
                "tels_with_trigger": list(event.trigger.tels_with_trigger),
                "event_type": event.trigger.event_type.name,
                "charge": np.array(event.dl1.tel[tel].image, dtype=np.float32),
                "time": np.array(event.dl1.tel[tel].peak_time, dtype=np.float32),
                "altitude_deg": event.pointing.tel[tel].altitude.to_value("deg"),
                "azimuth_deg": event.pointing.tel[tel].azimuth.to_value("deg"),
                "is_bad": event.mon.tel[tel].pixel_status.hardware_failing_pixels[0].copy(),
            }
            if source.is_simulation:
                shower = event.simulation.shower
                row |= {
                    "energy_gev": shower.energy.to_value("GeV"),
                    "primary": int(shower.shower_primary_id),
                    "core_x_m": shower.core_x.to_value("m"),
                    "core_y_m": shower.core_y.to_value("m"),
                    "shower_altitude_deg": shower.alt.to_value("deg"),
                    "shower_azimuth_deg": shower.az.to_value("deg"),
                    "first_interaction_m": shower.h_first_int.to_value("m"),
                    "xmax_gcm2": shower.x_max.to_value("g cm-2"),
                }
            else:
                unix = event.trigger.time.to_value("unix", subfmt="decimal")
                row["time_utc_ns"] = round(unix * Decimal(10**9))
            rows.append(row)
        facts = {"telescope": tel, "is_simulation": source.is_simulation, "is_stereo": source.is_stereo}
        if source.is_simulation:
            thrown = next(iter(source.simulation_config.values()))
            facts["n_showers"] = int(thrown.n_showers)
            facts["scatter_m"] = thrown.max_scatter_range.to_value("m")
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    np.savez(output, **columns, **{f"fact_{name}": value for name, value in facts.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
