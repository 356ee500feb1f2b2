# Image whose command is `liqe`, for Linux x86-64.
#
#     docker build -t liqe .                                    computes on the CPU
#     docker build -t liqe:gpu --build-arg FLAVOR=gpu .         on NVIDIA GPUs too, with the libraries of CUDA 12 inside
#     docker run --rm -v "$PWD:/work" liqe predict photo.jpg
#     docker run --rm -v "$PWD:/work" --gpus all liqe:gpu train --config mine.yaml
#
# docs/install.md says more.

ARG NODE_VERSION=22

FROM node:${NODE_VERSION}-bookworm-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates g++ \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/liqe
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build
# cpu or gpu: `liqe engine install --flavor`
ARG FLAVOR=cpu
ENV XDG_CACHE_HOME=/opt/cache
RUN node bin/liqe.js engine install --flavor ${FLAVOR} && npm prune --omit=dev

FROM node:${NODE_VERSION}-bookworm-slim
# The NVIDIA variables ask the container runtime for the driver; without a GPU nothing reads them
ENV XDG_CACHE_HOME=/opt/cache \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=build /opt/cache /opt/cache
COPY --from=build /opt/liqe /opt/liqe
RUN ln -s /opt/liqe/bin/liqe.js /usr/local/bin/liqe
USER node
WORKDIR /work
ENTRYPOINT ["liqe"]
CMD ["--help"]
