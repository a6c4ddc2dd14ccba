"""What may go wrong between a client and the service.

ClientError
├── ServiceProblem           the service says why it does not do what was asked
│   └── ServiceUnavailable   it cannot at the moment; all tries have been used up
├── ConnectionFailed         no answer came, or not all of one; all tries have been used up
├── TimedOut                 one of the limits in ``Timeouts`` has passed
└── UnexpectedAnswer         what answered is not this service, or the answer is damaged
"""

# ruff: noqa: N818 (names say what happened)


class ClientError(Exception):
    """Base of all errors that clients raise, but for the caller's own: OSError of a file, TypeError and ValueError."""


class ServiceProblem(ClientError):
    """An answer with an error.

    Attributes:
        status: of HTTP.
        slug: the problem's stable name, as `not-an-image`; empty if what answered told none, as proxies do.
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


class ServiceUnavailable(ServiceProblem):
    """A problem that passes: the queue is full, the service is starting or shutting down, a proxy does not reach it."""


class ConnectionFailed(ClientError):
    """No answer came, or it broke off before its end."""


class TimedOut(ClientError):
    """A limit of ``Timeouts`` has passed; the message names it."""


class UnexpectedAnswer(ClientError):
    """The answer is not what this service sends."""
