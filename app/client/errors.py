"""What may go wrong between a client and the service.

ClientError
├── ServiceError                    the service says why it does not do what was asked
│   └── ServiceUnavailableError     it cannot at the moment; all tries have been used up
├── ServiceConnectionError          no response came, or not all of one; all tries have been used up
├── ServiceTimeoutError             one of the limits in ``Timeouts`` has passed
└── UnexpectedResponseError         what answered is not this service, or the response is damaged
"""


class ClientError(Exception):
    """Base of all errors that clients raise, but for the caller's own: OSError of a file, TypeError and ValueError."""


class ServiceError(ClientError):
    """A response with an error.

    Attributes:
        status: HTTP status.
        slug: the problem's stable name, as `not-an-image`; empty if it names none, as proxies do.
        title: what kind of problem it is.
        detail: what is wrong with this request.
        request_id: finds the request in the service's log; None if what answered told none.
        retry_after_s: seconds until another try has a chance; None if that is not known.
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
    """A problem that passes: the queue is full, the service is starting or shutting down, a proxy does not reach it."""


class ServiceConnectionError(ClientError):
    """No response came, or it broke off before its end."""


class ServiceTimeoutError(ClientError):
    """A limit of ``Timeouts`` has passed; the message names it."""


class UnexpectedResponseError(ClientError):
    """The response is not what this service sends."""
