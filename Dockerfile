# Two images: `docker build --target light .` reads, judges and reports; `--target full`, the default,
# also runs models and writes PDF files. Both run as a user without a name or a home, and need no
# write access but to /tmp and to the directory of the reports:
#
#   docker run --rm --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#     -v "$PWD/models:/models:ro" modelaudit scan /models
ARG PYTHON=3.13-slim-trixie

FROM python:${PYTHON} AS sources
WORKDIR /src
COPY . .

FROM sources AS install-light
RUN contrib/container/install.sh light /opt/modelaudit

FROM sources AS install-full
RUN contrib/container/install.sh full /opt/modelaudit

FROM python:${PYTHON} AS base
ENV PATH=/opt/modelaudit/bin:$PATH PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["modelaudit"]
CMD ["--help"]

FROM base AS light
COPY --from=install-light /opt/modelaudit /opt/modelaudit

FROM base AS full
USER 0
# Not pinned: a rebuild is to bring the security updates of the distribution.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install --yes --no-install-recommends \
    libharfbuzz-subset0 libpango-1.0-0 libpangoft2-1.0-0 && \
    rm -rf /var/lib/apt/lists/*
COPY --from=install-full /opt/modelaudit /opt/modelaudit
USER 65532:65532
