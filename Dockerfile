# coabench in a container: the CPU by default; for a GPU
#   docker build --build-arg BASE=nvidia/cuda:12.8.1-base-ubuntu24.04 --build-arg TORCH=https://pypi.org/simple -t coabench .
# then, with --gpus all for a GPU:
#   docker run --rm --user "$(id -u)" -v "$PWD:/work" coabench evaluate --output results/first
ARG BASE=debian:trixie-slim
FROM ${BASE}
ARG TORCH=https://download.pytorch.org/whl/cpu

# the releases of the base image: those of today would not be there tomorrow
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 python3-venv libgl1 libglib2.0-0 \
 && rm -rf /var/lib/apt/lists/*

COPY . /coabench
RUN python3 -m venv /opt/coabench \
 && /opt/coabench/bin/pip install --no-cache-dir --no-compile --index-url "${TORCH}" torch \
 && /opt/coabench/bin/pip install --no-cache-dir --no-compile "/coabench[serve]"

# whoever runs it owns what it writes into /work; nobody needs an account in the image
ENV HOME=/tmp USER=coabench
USER 10001
WORKDIR /work
ENTRYPOINT ["/opt/coabench/bin/coabench"]
CMD ["--help"]
