"""Latency of photographs alone, and while the service processes an image of 100 megapixels.

    python -m benchmarks.large_image [--seconds 20]

One client sends photographs of 500 x 375 one after another, another client a JPEG of 11,547 x 8,660. The measurement
starts when the first rows of the large mask arrive, and must end before the last ones do.
"""

import argparse
import http.client
import sys
import threading
import time
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from benchmarks.findings import at_most, none_of, table
from benchmarks.machine import describe_machine
from benchmarks.photograph import photograph
from benchmarks.service import OURS, running
from benchmarks.traffic import Kind, Traffic, measure

LARGE_WIDTH, LARGE_HEIGHT = 11_547, 8_660
PHOTOGRAPH = "cat"


def large_jpeg() -> bytes:
    """A photograph enlarged to 100 megapixels, as JPEG bytes."""
    buffer = BytesIO()
    picture = Image.open(BytesIO(photograph(PHOTOGRAPH)))
    picture.resize((LARGE_WIDTH, LARGE_HEIGHT)).save(buffer, "JPEG")
    return buffer.getvalue()


class LargeImageRequest(threading.Thread):
    """Thread that sends the large image and reads the response.

    Attributes:
        begun: set when the first rows have arrived.
        seconds: seconds until the whole response arrived.
        first_s: seconds until the first rows arrived.
    """

    def __init__(self, port: int) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.first_s = self.seconds = float("nan")
        self._port = port

    def run(self) -> None:
        body = large_jpeg()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=600)
        started = time.perf_counter()
        connection.request("POST", "/segment", body, {"Content-Type": "image/jpeg"})
        response = connection.getresponse()
        assert response.status == 200, response.read()
        response.read(1)
        self.first_s = time.perf_counter() - started
        self.begun.set()
        response.read()
        self.seconds = time.perf_counter() - started
        connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="seconds of photographs, for each measurement (20)")
    seconds = parser.parse_args().seconds
    image = photograph(PHOTOGRAPH)
    with TemporaryDirectory() as folder, running(OURS, sys.executable, image) as port:
        file = Path(folder) / "photograph.jpg"
        file.write_bytes(image)
        load = Traffic(port, (Kind(PHOTOGRAPH, OURS.path, str(file)),), seconds, clients=1)
        measure(load)  # warms up
        idle = measure(load)
        large = LargeImageRequest(port)
        large.start()
        assert large.begun.wait(300)
        busy = measure(load)
        assert large.is_alive(), "the large image was finished too early: send photographs for fewer seconds"
        large.join()
    print(", ".join(f"{name}: {value}" for name, value in describe_machine().items()))
    print("\n| photographs | p50, ms | p95, ms | requests/s |\n| --- | --- | --- | --- |")
    for name, measured in (("alone", idle), ("beside the large image", busy)):
        p50, p95 = measured.percentile(50), measured.percentile(95)
        print(f"| {name} | {p50:.1f} | {p95:.1f} | {measured.throughput:.2f} |")
    ratio = busy.percentile(95) / idle.percentile(95)
    print(f"\nThe large image: first rows after {large.first_s:.1f} s, all after {large.seconds:.1f} s.\n")
    failures = none_of("photographs that were not answered", busy.failures)
    print(table([at_most("p95 beside the large image / alone", ratio, 2, "{:.2f}"), failures]))


if __name__ == "__main__":
    main()
