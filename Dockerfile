# The image for nodes of a cluster: docker build -t sentcli .
FROM python:3.12-slim
# `ray up` copies files with rsync, and KubeRay looks at its nodes with wget. Debian keeps no older versions to pin.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends rsync wget && rm -rf /var/lib/apt/lists/*
COPY pyproject.toml README.md LICENSE /src/
COPY sentcli /src/sentcli
COPY exports /src/exports
RUN pip install --no-cache-dir '/src[ray,remote]' && rm -rf /src
RUN useradd --create-home --uid 1000 sentcli
USER 1000
WORKDIR /home/sentcli
ENTRYPOINT ["sentcli"]
