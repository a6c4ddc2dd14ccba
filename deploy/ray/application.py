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
"""Requests that Ray lets through to a replica, and to a gateway: how many are enough is for the service to say."""

_MESSAGES = {"RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": "-1"}
"""Bodies may be of any length here; they have been limited before."""

_FINISH_S = 10.0
"""Seconds that a replica may take beyond the service's own drain, and that Ray waits."""


class Arguments(Settings):
    """Arguments of the application: the service's settings, which beat the environment, and what concerns Ray."""

    precision: Annotated[Precision, AnyCase] = Field(
        Precision.FLOAT32,
        description="One for all replicas, whatever machines they run on; with `auto` each chooses for itself.",
    )

    replicas: Positive = Field(1, description="Replicas, each with weights, queue and limits of its own.")
    gateways: Positive = Field(1, description="Gateways; one for each node.")
    patience_s: Seconds = Field(30, description="For which a replica is looked for that takes a request; then 503.")


def build(arguments: Arguments) -> Application:
    """The application.

    Args:
        arguments: Ray makes them of those of ``serve run``, or of ``args`` in a configuration file.
    """
    each = share(arguments)
    segmentation = _deployment(
        Segmentation,
        num_replicas=arguments.replicas,
        graceful_shutdown_timeout_s=arguments.drain_timeout_s + _FINISH_S,
        # Ray gives OpenMP as many threads.
        ray_actor_options={"num_cpus": each.cpus, "num_gpus": each.gpus},
    )
    gateway = _deployment(
        Gateway,
        num_replicas=arguments.gateways,
        max_replicas_per_node=1,  # none depends on another node's
        graceful_shutdown_timeout_s=arguments.drain_timeout_s + _FINISH_S,
        ray_actor_options={"num_cpus": 0},
    )
    application: Application = gateway.bind(segmentation.bind(arguments), _body_limits(arguments), arguments.patience_s)
    return application


def _deployment(kind: type, **options: Any) -> Any:
    deploy: Any = serve.deployment  # as a decorator and as a function it has different types
    options["ray_actor_options"]["runtime_env"] = {"env_vars": _MESSAGES}
    return deploy(kind, max_ongoing_requests=_ONGOING, **options)


def _body_limits(settings: Settings) -> BodyLimits:
    upload = UploadLimits(settings.max_upload_bytes, settings.upload_timeout_s, settings.upload_idle_timeout_s)
    return BodyLimits(upload, settings.body_memory_bytes)
