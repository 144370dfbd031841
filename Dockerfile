# One image for the command line and for Spark and Dataflow workers. No torch: training has its own machines.
ARG BEAM=2.77.0
FROM apache/beam_python3.11_sdk:${BEAM} AS beam

FROM python:3.11-slim AS build
ARG BEAM
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml README.md ./
COPY text text
COPY dedup dedup
COPY filters filters
COPY tokenizer tokenizer
COPY training training
COPY pipeline pipeline
RUN python -m venv /opt/gristmill \
 && /opt/gristmill/bin/pip install --no-cache-dir '.[gcp,aws]' "apache-beam==$BEAM"

FROM python:3.11-slim
# Beam's boot program starts the workers of Spark and Dataflow; the command line does not need it.
COPY --from=beam /opt/apache/beam /opt/apache/beam
COPY --from=build /opt/gristmill /opt/gristmill
ENV PATH=/opt/gristmill/bin:$PATH NUMBA_CACHE_DIR=/opt/gristmill/kernels
# Kernels are compiled into the image, so that no worker compiles them again.
RUN useradd --create-home miller && mkdir -p $NUMBA_CACHE_DIR && chmod 777 $NUMBA_CACHE_DIR
USER miller
WORKDIR /home/miller
RUN gristmill sample warm --dumps 2 --pages 40 && gristmill run warm/corpus.yaml && rm -rf warm
ENTRYPOINT ["gristmill"]
