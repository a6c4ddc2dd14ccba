# The service with its weights. It needs no network, no HOME and no writable disk to run.
#
# The image runs on CUDA, and on the CPU where there is no GPU. For a much smaller image without CUDA, hand over the
# address of PyTorch's CPU index; the selector on PyTorch's "Get started" page prints it (choose Pip and CPU):
#     docker build --build-arg TORCH_INDEX_URL=... .
FROM python:3.11-slim AS build

ARG TORCH_INDEX_URL=""
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /src
RUN python -m venv /opt/venv

# PyTorch has a layer of its own: a change of the code does not install it again. Its dependencies come with the
# second step, because the CPU index lacks the versions that the constraints ask for.
COPY constraints.txt ./
RUN pip install --no-cache-dir --constraint constraints.txt \
        ${TORCH_INDEX_URL:+--no-deps --index-url "$TORCH_INDEX_URL"} torch torchvision

COPY pyproject.toml README.md LICENSE ./
COPY app app/
COPY model model/
RUN pip install --no-cache-dir --constraint constraints.txt .

FROM python:3.11-slim

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    FCN_HOST=0.0.0.0 \
    FCN_PORT=8000
RUN groupadd --gid 10001 fcn && \
    useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin fcn
COPY --from=build /opt/venv /opt/venv
WORKDIR /srv
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import os; from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open(f'http://127.0.0.1:{os.environ[\"FCN_PORT\"]}/readyz', timeout=4)"]
CMD ["python", "-m", "app"]
