# One image for the adapter, the controller and the command line.
# The interpreter is the one that the tests run with. The base image is named by its tag, so that a
# build has its newest fixes; to build the same twice, pin its digest.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/budaiscaler && python -m venv /opt/build
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN /opt/budaiscaler/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY adapter adapter
COPY controller controller
COPY budaiscaler budaiscaler
# Without isolation, which would fetch whatever build backend is newest.
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/budaiscaler/bin/pip install --no-cache-dir --no-index --no-deps /wheels/*.whl

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="budaiscaler" \
      org.opencontainers.image.description="Autoscaler for LLM inference on Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/budaiscaler /opt/budaiscaler
# PYTHON* variables would say nothing to the servers, which run isolated.
ENV PATH=/opt/budaiscaler/bin:$PATH
# A number, so that runAsNonRoot can be checked.
USER 65532:65532
WORKDIR /tmp
# The servers: python -I -m adapter, python -I -m controller.
ENTRYPOINT []
CMD ["budaiscaler", "--help"]
