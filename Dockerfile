# The bundle is all the program needs: no node_modules, no shell scripts, no build tools in the image.
FROM node:24-bookworm-slim AS build
WORKDIR /src
ENV npm_config_update_notifier=false
COPY package.json package-lock.json ./
# Only esbuild has an install script, and it is not needed: its binary comes as a package of its own.
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY scripts/build.ts scripts/build.ts
COPY src src
ARG REVISION=unknown
RUN BUILD_REVISION=${REVISION} node_modules/.bin/tsx scripts/build.ts

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="northflank-operator" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=build /src/dist dist
# Any other uid works as well: nothing is written to disk and no home directory is needed.
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["node", "/app/dist/northflank-operator.js"]
CMD ["run"]
