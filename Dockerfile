# The bundle is all the program needs: no node_modules, no shell, no package manager in the image. It is the same for every
# platform, so it is built once, on the platform of the builder. docs/release.md says how to check the digests of the bases.
FROM --platform=$BUILDPLATFORM node:24.21.0-trixie-slim@sha256:173f125896c3b47ddf056734c7ea789d04595a6a08769a8f78e0df642781fb66 AS build
# What is in the bundle cannot be seen in the image: the list of its parts is made of this stage as well.
ARG BUILDKIT_SBOM_SCAN_STAGE=true
WORKDIR /src
ENV npm_config_update_notifier=false
COPY package.json package-lock.json ./
# Only esbuild has an install script, and it is not needed: its binary comes as a package of its own.
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY scripts/build.ts scripts/build.ts
COPY scripts/published.ts scripts/published.ts
COPY src src
ARG REVISION=unknown
RUN BUILD_REVISION=${REVISION} node_modules/.bin/tsx scripts/build.ts

FROM gcr.io/distroless/nodejs24-debian13:nonroot@sha256:9eeb7f5887d0e239e78264b06f7f11d2e14be534050481803a9e4728fcdd278e
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="northflank-operator" \
      org.opencontainers.image.description="Runs Northflank from Kubernetes objects" \
      org.opencontainers.image.url="https://github.com/northflank-operator/northflank-operator" \
      org.opencontainers.image.source="https://github.com/northflank-operator/northflank-operator" \
      org.opencontainers.image.documentation="https://github.com/northflank-operator/northflank-operator#readme" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=build /src/dist dist
# Any other uid works as well: nothing is written to disk and no home directory is needed.
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/nodejs/bin/node", "/app/dist/northflank-operator.js"]
CMD ["run"]
