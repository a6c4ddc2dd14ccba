"""Ray Serve: one replica that has all cores.

    python -m benchmarks.peers.ray_serve_service PORT

Network and codecs run in a thread pool no larger than the number of cores, as Ray Serve's page on concurrency advises,
so that the replica's event loop stays free; the replica takes more requests at once than the default 5, so that none
waits for the router to try again.
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
    # Never a cluster that happens to run; no dashboard, whose processes would take part in what is measured.
    ray.init("local", include_dashboard=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    # Ray gives a replica as many OpenMP threads as CPUs.
    deployment = serve.deployment(Segmentation, ray_actor_options={"num_cpus": _CORES}, max_ongoing_requests=64)
    serve.run(deployment.bind(), route_prefix="/segment", blocking=True)
