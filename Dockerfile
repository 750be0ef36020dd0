# coabench in a container: the CPU by default; for a GPU
#   docker build --build-arg BASE=nvidia/cuda:12.8.1-base-ubuntu24.04 --build-arg TORCH=https://pypi.org/simple -t coabench .
# then: docker run --rm -v "$PWD:/work" coabench evaluate --output results/first     (with --gpus all for a GPU)
ARG BASE=debian:trixie-slim
FROM ${BASE}
ARG TORCH=https://download.pytorch.org/whl/cpu

RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 python3-venv libgl1 libglib2.0-0 \
 && rm -rf /var/lib/apt/lists/*

COPY . /coabench
RUN python3 -m venv /opt/coabench \
 && /opt/coabench/bin/pip install --no-cache-dir --no-compile --index-url "${TORCH}" torch \
 && /opt/coabench/bin/pip install --no-cache-dir --no-compile "/coabench[serve]"

RUN useradd --create-home user
USER user
WORKDIR /work
ENTRYPOINT ["/opt/coabench/bin/coabench"]
CMD ["--help"]
