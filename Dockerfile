# The image of `streamlearn`: a wheel is built in one stage and installed in another, which runs without root.
FROM python:3.11-slim AS build
COPY . /source
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /source

FROM python:3.11-slim
COPY --from=build /wheels /wheels
COPY constraints.txt /wheels/
RUN pip install --no-cache-dir --constraint /wheels/constraints.txt "$(ls /wheels/*.whl)[confluent,avro]" \
 && rm -r /wheels \
 && useradd --uid 10001 --create-home streamlearn \
 && install -d -o streamlearn /state
USER 10001
# Checkpoints and compiled kernels: put a volume here, so that a new container goes on where the last one was.
WORKDIR /state
ENV NUMBA_CACHE_DIR=/state/.kernels PYTHONUNBUFFERED=1
ENTRYPOINT ["streamlearn"]
CMD ["--help"]
