"""Ray Serve: one replica with all cores.

    python -m benchmarks.peers.ray_serve_service PORT

The network and the codecs run in a thread pool with one thread per core, as Ray Serve's page on concurrency advises, so
that the replica's event loop stays free. The replica takes more concurrent requests than the default 5, so that none
waits for the router to retry.
"""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.peers.network import PeerNetwork

_CORES = os.cpu_count() or 1


class Segmentation:
    """The ingress deployment."""

    def __init__(self) -> None:
        self.network = PeerNetwork()
        self.threads = ThreadPoolExecutor(_CORES)

    async def __call__(self, request: Request) -> Response:
        data = await request.body()
        png = await asyncio.get_running_loop().run_in_executor(self.threads, self.network.segment, data)
        return Response(png, media_type="image/png")


if __name__ == "__main__":
    # Never connect to a running cluster. No dashboard: its processes would disturb the measurement.
    ray.init("local", include_dashboard=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    # Ray sets a replica's OpenMP threads to its num_cpus.
    deployment = serve.deployment(Segmentation, ray_actor_options={"num_cpus": _CORES}, max_ongoing_requests=64)
    serve.run(deployment.bind(), route_prefix="/segment", blocking=True)
