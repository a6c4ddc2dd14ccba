"""Errors of the client.

ClientError
├── ServiceError                    the service refused the request, and says why
│   └── ServiceUnavailableError     the service is temporarily unavailable; all retries have failed
├── ServiceConnectionError          no response, or an incomplete one; all retries have failed
├── ServiceTimeoutError             a limit in ``Timeouts`` was exceeded
└── UnexpectedResponseError         the response is damaged, or not from this service
"""


class ClientError(Exception):
    """Base class of all client errors, except the caller's own: OSError of a file, TypeError and ValueError."""


class ServiceError(ClientError):
    """The service responded with an error.

    Attributes:
        status: HTTP status.
        slug: the problem's stable name, e.g. `not-an-image`; empty if there is none, as in a proxy's response.
        title: the kind of problem.
        detail: what is wrong with this request.
        request_id: the request's ID in the service's log; None if the response has none.
        retry_after_s: seconds after which a retry may succeed; None if unknown.
    """

    def __init__(
        self,
        status: int,
        slug: str,
        title: str,
        detail: str,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(status, slug, title, detail, request_id, retry_after_s)
        self.status = status
        self.slug = slug
        self.title = title
        self.detail = detail
        self.request_id = request_id
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        name = f"{self.status} {self.slug}".rstrip()
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{name}: {self.detail or self.title}{request}"


class ServiceUnavailableError(ServiceError):
    """A temporary problem: the queue is full, the service is starting or shutting down, or a proxy cannot reach it."""


class ServiceConnectionError(ClientError):
    """No response arrived, or it was incomplete."""


class ServiceTimeoutError(ClientError):
    """A limit in ``Timeouts`` was exceeded; the message names it."""


class UnexpectedResponseError(ClientError):
    """The response is damaged, or not one of this service."""
