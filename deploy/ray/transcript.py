"""What a client has been told of an answer that one replica began and another ends."""

from hashlib import sha256

from deploy.ray.messages import Head

_DIGEST_HEADER = b"x-checkpoint-sha256"


class DifferentAnswerError(Exception):
    """The second replica's answer does not begin as the first one's, of which the client has some already."""


class Transcript:
    """Leaves out of a repeated answer what has been told: the same weights make the same bytes of the same image.

    Attributes:
        head: head that was told; None if nothing was.
    """

    def __init__(self) -> None:
        self.head: Head | None = None
        self._told_bytes = 0
        self._told = sha256()
        self._heard_bytes = 0
        self._heard = sha256()

    def begin_again(self) -> None:
        """The answer comes from its beginning, by somebody else."""
        self._heard_bytes = 0
        self._heard = sha256()

    def news(self, part: Head | bytes) -> Head | bytes | None:
        """What is new of a part; None if nothing is.

        Raises:
            DifferentAnswerError: what should be known is something else.
        """
        return self._head_news(part) if isinstance(part, Head) else self._body_news(part)

    def end(self) -> None:
        """The answer is at its end.

        Raises:
            DifferentAnswerError: the client had been told more.
        """
        if self._heard_bytes < self._told_bytes:
            raise DifferentAnswerError(f"it ends after {self._heard_bytes} bytes; {self._told_bytes} were told")

    def _head_news(self, head: Head) -> Head | None:
        if self.head is None:
            self.head = head
            return head
        if _identity(head) != _identity(self.head):
            raise DifferentAnswerError(f"{_identity(self.head)} was told, and now {_identity(head)}")
        return None

    def _body_news(self, part: bytes) -> bytes | None:
        known = min(len(part), self._told_bytes - self._heard_bytes)
        self._heard.update(part[:known])
        self._heard_bytes += known
        if known and self._heard_bytes == self._told_bytes and self._heard.digest() != self._told.digest():
            raise DifferentAnswerError(f"the first {self._told_bytes} bytes are not those that were told")
        new = part[known:]
        self._told.update(new)
        self._heard.update(new)
        self._told_bytes += len(new)
        self._heard_bytes += len(new)
        return new or None


def _identity(head: Head) -> tuple[int, bytes | None, bytes | None]:
    """Status, weights and length: what no other answer may begin with."""
    return head.status, head.header(_DIGEST_HEADER), head.header(b"content-length")
