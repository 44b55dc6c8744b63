# gan_jax in a container, for CPUs, or for NVIDIA's GPUs with CUDA=12 or CUDA=13:
#
#     docker build --tag gan_jax .
#     docker build --tag gan_jax:cuda --build-arg CUDA=12 .
#     docker run --rm --volume "$PWD:/work" gan_jax train --config dcgan_shapes --workdir runs/shapes
#     docker run --rm --volume "$PWD:/work" --gpus all --shm-size 1g gan_jax:cuda train ...
#
# It runs as the user 1000. Where the folder belongs to another: --user "$(id -u):$(id -g)". Data and caches go
# into the container unless TFDS_DATA_DIR and GAN_JAX_CACHE say where: --env TFDS_DATA_DIR=/work/data.
FROM python:3.11-slim

# CUDA's libraries come with JAX; only the driver is the host's.
ARG CUDA=""
COPY requirements.lock /opt/gan_jax/
RUN pip install --no-cache-dir --requirement /opt/gan_jax/requirements.lock ${CUDA:+"jax[cuda${CUDA}]"}

COPY pyproject.toml setup.py README.md LICENSE /opt/gan_jax/
COPY configs /opt/gan_jax/configs
COPY gan_jax /opt/gan_jax/gan_jax
RUN pip install --no-cache-dir --no-deps --no-build-isolation /opt/gan_jax \
    && useradd --create-home --uid 1000 gan \
    && install --directory --owner gan /work

USER 1000
WORKDIR /work
ENTRYPOINT ["gan-jax"]
CMD ["--help"]
