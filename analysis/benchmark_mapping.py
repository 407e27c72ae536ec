"""Time the mapping of pixels to grids against dl1_data_handler, which maps one image per call.

The peer runs in an interpreter of its own (`python -m venv peer; peer/bin/pip install dl1-data-handler==0.14.6`):

    python analysis/benchmark_mapping.py --peer-python peer/bin/python --json mapping.json

Both map the same random images of charge and time with one thread; the fastest of the repetitions counts. Keys of the
JSON: `n_images`, `repeat`, `versions`, and for each of `mappings` `magicnn_ms` and `peer_ms` (milliseconds for all
images), `peer_over_magicnn`, and `same_cells` (whether both grids hold the same values, wherever they lie; the
interpolating mappings differ by definition).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import timeit
from importlib import metadata
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from magicnn import Camera, __version__
from magicnn.hexmaps import MAPPINGS, create_mapping

PEER = """
import json, sys, timeit, warnings
from importlib import metadata
import astropy.units as u
import numpy as np
from ctapipe.instrument import CameraGeometry
from dl1_data_handler import image_mapper

warnings.simplefilter("ignore")
data = np.load(sys.argv[1])
classes = {"axial": "AxialMapper", "offset": "ShiftingMapper",
           "oversampled": "OversamplingMapper", "bilinear": "BilinearMapper"}
mappers, first = {}, {}
for name, class_name in classes.items():
    geometry = CameraGeometry(
        name="MAGICCam", pix_id=np.arange(len(data["x_m"])), pix_x=data["x_m"] * u.m, pix_y=data["y_m"] * u.m,
        pix_area=np.full(len(data["x_m"]), data["area_m2"]) * u.m**2, pix_type="hexagon",
        pix_rotation=70.9 * u.deg, cam_rotation=0 * u.deg)
    mappers[name] = getattr(image_mapper, class_name)(geometry=geometry)
    image = mappers[name].map_image(data["images"][0])[..., 0]
    first[name] = np.sort(image[image != 0]).tolist()
images = list(data["images"])
packages = ("dl1_data_handler", "ctapipe", "numpy", "scipy")
print(json.dumps({"versions": {p: metadata.version(p) for p in packages}, "first": first}), flush=True)
for line in sys.stdin:
    mapper = mappers[line.strip()]
    print(1e3 * timeit.timeit(lambda: [mapper.map_image(image) for image in images], number=1), flush=True)
"""


class Peer:
    """dl1_data_handler in its own interpreter; maps all images with one call each whenever told so."""

    def __init__(self, python: str, camera: Camera, images: np.ndarray) -> None:
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "images.npz"
            # the peer wants the channel last
            peer_images = np.ascontiguousarray(images.transpose(0, 2, 1))
            np.savez(data, images=peer_images, x_m=camera.x_m, y_m=camera.y_m, area_m2=camera.pixel_area_m2)
            command = [python, "-c", PEER, data]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.about = json.loads(self.process.stdout.readline())

    def milliseconds(self, name: str) -> float:
        """Time one pass over all images."""
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        """End the interpreter."""
        self.process.stdin.close()
        self.process.wait()


def main() -> None:
    """Measure, print a table, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", help="interpreter with dl1-data-handler; without it only magicnn is timed")
    parser.add_argument("--images", type=int, default=256, help="images of two channels (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=20, help="repetitions (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    args = parser.parse_args()

    camera = Camera.magic()
    images = np.random.default_rng(0).exponential(size=(args.images, 2, camera.n_pixels)).astype(np.float32)
    peer = Peer(args.peer_python, camera, images) if args.peer_python else None
    versions = {"magicnn": __version__, "numpy": metadata.version("numpy")}
    if peer:
        versions["peer"] = peer.about["versions"]
    result = {"n_images": args.images, "repeat": args.repeat, "versions": versions, "mappings": {}}
    for name in MAPPINGS:
        mapping = create_mapping(name, camera)
        own_ms, peer_ms = [], []
        for _ in range(args.repeat):  # in turn, so that both meet the same load of the machine
            own_ms.append(1e3 * timeit.timeit(lambda m=mapping: m.to_grid(images), number=1))
            if peer:
                peer_ms.append(peer.milliseconds(name))
        row = {"magicnn_ms": min(own_ms)}
        if peer:
            grid = mapping.to_grid(images[0, 0])
            same = np.array_equal(np.sort(grid[grid != 0]), np.array(peer.about["first"][name], dtype=np.float32))
            row |= {"peer_ms": min(peer_ms), "peer_over_magicnn": min(peer_ms) / min(own_ms), "same_cells": bool(same)}
        result["mappings"][name] = row
        print(f"{name:12s}", "  ".join(f"{k} {v:.3g}" for k, v in row.items()))
    if peer:
        peer.close()
    print("versions", versions)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
