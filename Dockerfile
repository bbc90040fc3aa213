# The syntax is that of the classic builder too: no BuildKit is needed.
#   docker build -t mesos-slave .
# Where no registry can be reached, name your own bases (any Debian 12, one of them with Node and npm):
#   docker build --build-arg BASE=my/debian --build-arg BUILD_BASE=my/node -t mesos-slave .
ARG BASE=debian:bookworm-slim
ARG BUILD_BASE=node:24-bookworm-slim

# What the image has from Debian. supervisord's version is pinned: skel's module knows its inside.
FROM ${BASE} AS runtime
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends supervisor=4.2.5-* ca-certificates \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log /var/log/alternatives.log \
      /usr/share/doc /usr/share/man /usr/share/locale /usr/share/info /usr/share/lintian \
      /etc/supervisor/conf.d/* /etc/init.d/supervisor \
 && useradd --system --home-dir /var/lib/logstash-forwarder --no-create-home --shell /usr/sbin/nologin \
      --groups adm logstash-forwarder

FROM ${BUILD_BASE} AS build
WORKDIR /build
# For strip: the image is 19 MB smaller.
RUN apt-get update && apt-get install -y --no-install-recommends binutils
COPY package.json package-lock.json .npmrc ./
# Development dependencies are needed to build; none of them reaches the image.
RUN npm ci --include=dev
COPY . .
COPY --from=runtime /var/lib/dpkg/status /tmp/dpkg-status
RUN mkdir -p /image/opt/mesos-slave /image/usr/share/mesos-slave \
 && node tools/run.cjs tools/build.ts --out /image/opt/mesos-slave/dist \
 && node tools/run.cjs tools/sbom.ts --dpkg /tmp/dpkg-status > /image/usr/share/mesos-slave/sbom.cdx.json \
 && cp -L "$(node -p 'require("./bin/node24.js").node24()')" /image/opt/mesos-slave/node \
 && strip --strip-unneeded /image/opt/mesos-slave/node \
 && cp -Rp skel/. /image/ \
 && sh tools/image-modes.sh /image \
 && cp package.json /image/opt/mesos-slave/ \
 && chmod -R go+rX /image/opt/mesos-slave /image/usr/share/mesos-slave

FROM runtime
COPY --from=build /image/ /
# logstash-forwarder's registry must survive a restart of the container: mount a volume there to keep it longer.
# A client key beside it is root's and its.
RUN mkdir -p /var/log/mesos /var/lib/mesos \
 && find /opt/logstash-forwarder -type f ! -perm -004 -exec chgrp logstash-forwarder {} + -exec chmod g+r {} + \
 && install -d -o logstash-forwarder -g logstash-forwarder -m 0750 /var/lib/logstash-forwarder \
 && /opt/mesos-slave/node --version && supervisord --version
# What was built: --build-arg REVISION=$(git rev-parse HEAD)
ARG VERSION=2.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mesos-slave" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.description="One node of a Mesos cluster: agent, log forwarder, watchdog and init" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV LANG=C.UTF-8
EXPOSE 5051
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["/opt/scripts/healthcheck.sh"]
ENTRYPOINT ["/init.sh"]
