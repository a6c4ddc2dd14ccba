"""``serve run deploy.ray.application:build``: the service as a Ray Serve application.

serve run deploy.ray.application:build replicas=2 threads=1
serve run deploy/ray/serve.yaml
"""

from typing import Annotated, Any

from pydantic import Field
from ray import serve
from ray.serve import Application

from app.api.uploads import UploadLimits
from app.process_settings import AnyCase
from app.settings import Positive, Seconds, Settings
from deploy.ray.bodies import BodyLimits
from deploy.ray.gateway import Gateway
from deploy.ray.room import share
from deploy.ray.segmentation import Segmentation
from model.precision import Precision

_ONGOING = 10_000
"""Concurrent requests that Ray allows per replica and per gateway: high, because the service limits them itself."""

_MESSAGES = {"RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": "-1"}
"""Environment variables that let messages between replicas have any length; gateways have limited the bodies."""

_FINISH_S = 10.0
"""Seconds that Ray waits for a replica to end beyond the service's own drain timeout."""


class Arguments(Settings):
    """Arguments of the application: the service's settings, which override the environment, and settings for Ray."""

    precision: Annotated[Precision, AnyCase] = Field(
        Precision.FLOAT32,
        description="Precision of all replicas, whatever machines they run on; with `auto` each chooses its own.",
    )

    replicas: Positive = Field(1, description="Number of replicas, each with its own weights, queue and limits.")
    gateways: Positive = Field(1, description="Number of gateways, at most one per node.")
    patience_s: Seconds = Field(30, description="Seconds to look for a replica that takes a request; then 503.")


def build(arguments: Arguments) -> Application:
    """Build the application.

    Args:
        arguments: Ray parses them from the arguments of ``serve run`` or from ``args`` in a configuration file.
    """
    each = share(arguments)
    segmentation = _deployment(
        Segmentation,
        num_replicas=arguments.replicas,
        graceful_shutdown_timeout_s=arguments.drain_timeout_s + _FINISH_S,
        # Ray sets the number of OpenMP threads to num_cpus.
        ray_actor_options={"num_cpus": each.cpus, "num_gpus": each.gpus},
    )
    gateway = _deployment(
        Gateway,
        num_replicas=arguments.gateways,
        max_replicas_per_node=1,  # so that no node depends on another node's gateway
        graceful_shutdown_timeout_s=arguments.drain_timeout_s + _FINISH_S,
        ray_actor_options={"num_cpus": 0},
    )
    application: Application = gateway.bind(segmentation.bind(arguments), _body_limits(arguments), arguments.patience_s)
    return application


def _deployment(kind: type, **options: Any) -> Any:
    deploy: Any = serve.deployment  # typed as a decorator, but called as a function
    options["ray_actor_options"]["runtime_env"] = {"env_vars": _MESSAGES}
    return deploy(kind, max_ongoing_requests=_ONGOING, **options)


def _body_limits(settings: Settings) -> BodyLimits:
    upload = UploadLimits(settings.max_upload_bytes, settings.upload_timeout_s, settings.upload_idle_timeout_s)
    return BodyLimits(upload, settings.body_memory_bytes)
