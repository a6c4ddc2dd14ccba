import pickle

from starlette.requests import Request

from deploy.ray.messages import Head, HttpRequest


def test_a_request_arrives_as_it_was_sent() -> None:
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/segment",
        "raw_path": b"/segment",
        "query_string": b"format=json&mask=rle",
        "headers": [(b"content-type", b"image/jpeg"), (b"x-request-id", b"7")],
        "client": ["192.0.2.7", 5000],
        "extensions": object(),
    }
    sent = HttpRequest.of(scope, b"\xff\xd8")
    arrived = pickle.loads(pickle.dumps(sent))
    assert arrived == sent
    request = Request(arrived.scope())
    assert (request.method, request.url.path, dict(request.query_params)) == (
        "POST",
        "/segment",
        {"format": "json", "mask": "rle"},
    )
    assert dict(request.headers) == {"content-type": "image/jpeg", "x-request-id": "7"}
    assert request.client == ("192.0.2.7", 5000)
    assert arrived.body == b"\xff\xd8"


def test_a_head_knows_its_headers() -> None:
    head = Head(200, ((b"content-length", b"7"),))
    assert (head.header(b"content-length"), head.header(b"date")) == (b"7", None)
