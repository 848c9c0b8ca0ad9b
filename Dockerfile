# The one image of nacos-kube: server, sidecar and operator; the command chooses.
#
#   docker build -t nacos-kube .
#
# Where no public registry is reachable, both bases are arguments:
# NODE  has Node 26 with npm on a Debian; its binary goes into the image.
# BASE  has glibc and libstdc++ of the same or a newer Debian and CA certificates, and needs nothing else.
ARG NODE=node:26-bookworm-slim
ARG BASE=gcr.io/distroless/cc-debian12

FROM ${NODE} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY core/package.json core/
COPY client/package.json client/
COPY server/package.json server/
COPY sidecar/package.json sidecar/
COPY operator/package.json operator/
COPY e2e/package.json e2e/
# The versions are the lockfile's. `npm ci` would refuse it, since it leaves out development packages of other platforms.
# The optional packages are Node itself, for those who start from a checkout; e2e is there only for the lockfile to fit.
RUN npm ci --no-save --omit=dev --omit=optional --ignore-scripts --include-workspace-root \
      -w core -w client -w server -w sidecar -w operator \
 && mkdir /libraries && cp -L /usr/lib/*-linux-gnu/libatomic.so.1 /libraries/

FROM ${BASE}
COPY --from=packages /usr/local/bin/node /usr/local/bin/node
COPY --from=packages /libraries/ /usr/lib/
COPY --from=packages /app/node_modules/ /app/node_modules/
COPY package.json /app/
COPY bin/ /app/bin/
COPY crds/ /app/crds/
COPY core/ /app/core/
COPY client/ /app/client/
COPY server/ /app/server/
COPY sidecar/ /app/sidecar/
COPY operator/ /app/operator/
ENV NODE_ENV=production SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
WORKDIR /app
USER 10001:10001
EXPOSE 8848 7848
ENTRYPOINT ["node", "--max-semi-space-size=16", "/app/bin/nacos-kube.ts"]
