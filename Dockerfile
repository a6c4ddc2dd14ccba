# The service with its weights. It needs no network, no HOME and no writable disk to run.
#
#     docker build .                                    the service, for CUDA, and for the CPU if there is no GPU
#     docker build --build-arg TORCH_INDEX_URL=... .    the same without CUDA, a quarter of the size: give PyTorch's
#                                                       CPU index (its "Get started" page prints it: Pip, CPU)
#     docker build --target train .                     the service and training
#     docker build --target build .                     all libraries, complete, and pip
#
# docs/container.md describes the content. To pin the base image exactly, append its digest to the tag, as in
# python:3.11.15-slim-bookworm@sha256:...; `docker buildx imagetools inspect python:3.11.15-slim-bookworm` prints it.
FROM python:3.11.15-slim-bookworm AS base

ENV PATH=/opt/venv/bin:$PATH
# The base image's standard library lacks compiled modules. On a read-only disk, every start and every health check
# would compile them.
RUN library=$(python -c "import sysconfig; print(sysconfig.get_path('stdlib'))") && \
    python -m compileall -q --invalidation-mode unchecked-hash \
        -x '/(ensurepip|idlelib|lib2to3|site-packages|dist-packages|test|tkinter|turtledemo)/' "$library"

# The pins of PyTorch and its dependencies: other pins do not change this file, so PyTorch's layer stays cached.
FROM base AS torch-pins

WORKDIR /src
COPY constraints.txt ./
RUN grep -iE '^(torch|torchvision|triton|nvidia-.*|cuda-.*|filelock|fsspec|jinja2|markupsafe|mpmath|networkx|numpy|pillow|setuptools|sympy|typing[-_]extensions)==' \
        constraints.txt > torch.txt

FROM base AS build

ARG TORCH_INDEX_URL=""
WORKDIR /src
RUN python -m venv /opt/venv

# PyTorch has a step of its own, so that other requirements can change without installing it again. Its dependencies come
# with the second step, because the CPU index lacks their pinned versions. pip also searches the indexes of its own
# configuration, and would silently take the CUDA build from there.
COPY --from=torch-pins /src/torch.txt ./
RUN pip install --no-cache-dir --constraint torch.txt \
        ${TORCH_INDEX_URL:+--no-deps --index-url "$TORCH_INDEX_URL"} torch && \
    if [ -n "$TORCH_INDEX_URL" ] && [ -e /opt/venv/lib/python3.11/site-packages/torch/lib/libtorch_cuda.so ]; then \
        echo "TORCH_INDEX_URL was given, and PyTorch came with CUDA: that index lacks the version in constraints.txt" >&2; \
        exit 1; \
    fi

COPY constraints.txt pyproject.toml ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
        > requirements.txt && \
    pip install --no-cache-dir --constraint constraints.txt --requirement requirements.txt

# The service's libraries without build tools (compilers and the algebra packages that they need, headers, static
# libraries, pip), without tests, and without the CUDA libraries that no other library refers to. Compiled modules stay
# valid whatever the files' times.
FROM build AS libraries

WORKDIR /opt/venv/lib/python3.11/site-packages
RUN pip uninstall --yes triton sympy mpmath networkx setuptools pip && \
    find torch/bin -type f ! -name torch_shm_manager -delete && \
    rm -rf torch/share torch/test nvidia/*/include nvidia/*/lib/*.alt.so* nvidia/*/lib/libcusolverMg.* && \
    find . \( -path ./torch/include -o -type d -name tests \) -prune -exec rm -rf {} + && \
    find . \( -name '*.a' -o -name '*.bc' \) -delete && \
    python -m compileall -q -f -j 0 --invalidation-mode unchecked-hash -x "/torch/testing/_internal/" .

# Our own kernels, built by a compiler that does not get into the image.
FROM build AS kernels

RUN pip install --no-cache-dir --constraint constraints.txt setuptools ziglang
COPY README.md LICENSE ./
COPY app/__init__.py app/
COPY model/kernels model/kernels/
RUN compiler="python -m ziglang cc -target $(uname -m)-linux-gnu" && \
    CC="$compiler" LDSHARED="$compiler -shared" python -c "import setuptools; setuptools.setup()" --quiet build_ext --inplace && \
    { [ "$(uname -m)" != x86_64 ] || ls model/kernels/winograd_avx2.*.so model/kernels/winograd_avx512.*.so; }

# The service itself, apart from its libraries: changing it changes only a small layer.
FROM base AS code

WORKDIR /srv
COPY app app/
COPY model model/
COPY --from=kernels /src/model/kernels model/kernels/
RUN python -m compileall -q --invalidation-mode unchecked-hash .

FROM base AS runtime

LABEL org.opencontainers.image.title="fcn-segmentation" \
      org.opencontainers.image.description="Semantic segmentation over HTTP: the Pascal VOC class of every pixel" \
      org.opencontainers.image.licenses="MIT"
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/srv \
    PYTHONUNBUFFERED=1 \
    FCN_HOST=0.0.0.0 \
    FCN_PORT=8000
# With an older driver, NVIDIA's runtime refuses to start the container; otherwise the service would run on the CPU.
ENV NVIDIA_REQUIRE_CUDA="cuda>=13.0"
RUN groupadd --gid 10001 fcn && \
    useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin fcn
WORKDIR /srv
USER 10001:10001

FROM build AS training-libraries

RUN pip install --no-cache-dir --constraint constraints.txt \
        ${TORCH_INDEX_URL:+--no-deps --index-url "$TORCH_INDEX_URL"} torchvision
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['train'], sep='\n')" \
        > requirements.txt && \
    pip install --no-cache-dir --constraint constraints.txt --requirement requirements.txt

FROM code AS training-code

COPY training training/
RUN python -m compileall -q --invalidation-mode unchecked-hash training

FROM runtime AS train

# Matplotlib writes its cache there.
ENV MPLCONFIGDIR=/tmp
COPY --from=training-libraries /opt/venv /opt/venv
COPY --from=training-code /srv /srv
CMD ["python", "-m", "training", "--help"]

FROM runtime AS serve

COPY --from=libraries /opt/venv /opt/venv
COPY --from=code /srv /srv
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=300s --start-interval=2s --retries=3 \
    CMD ["python", "-c", "import os; from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open(f'http://127.0.0.1:{os.environ[\"FCN_PORT\"]}/readyz', timeout=4)"]
CMD ["python", "-m", "app"]
