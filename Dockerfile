# One image for the adapter, the controller and the command line.
# The interpreter is the one that the tests run with.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/budaiscaler
COPY requirements/runtime.txt requirements/runtime.txt
RUN /opt/budaiscaler/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY adapter adapter
COPY controller controller
COPY budaiscaler budaiscaler
RUN /opt/budaiscaler/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="budaiscaler" \
      org.opencontainers.image.description="Autoscaler for LLM inference on Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/budaiscaler /opt/budaiscaler
ENV PATH=/opt/budaiscaler/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, so that runAsNonRoot can be checked.
USER 65532:65532
WORKDIR /tmp
# The servers: python -I -m adapter, python -I -m controller.
ENTRYPOINT []
CMD ["budaiscaler", "--help"]
