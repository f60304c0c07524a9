# One image for workers and for the command line: `docker run etcron worker`, `docker run etcron apply -f …`.

FROM node:20-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
COPY scripts ./scripts
COPY web ./web
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:20-slim
# tini passes signals on and reaps what commands leave behind.
RUN apt-get update \
  && apt-get install -y --no-install-recommends tini \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
RUN chmod +x dist/cli/main.js \
  && ln -s /app/dist/cli/main.js /usr/local/bin/etcron \
  && install -d -o node -g node /var/lib/etcron
ENV NODE_ENV=production ETCRON_OUTPUT_DIR=/var/lib/etcron/output
USER node
# Where commands run that name no folder of their own.
WORKDIR /var/lib/etcron
VOLUME /var/lib/etcron
HEALTHCHECK --interval=10s --timeout=10s --start-period=15s --retries=3 CMD ["etcron", "status"]
ENTRYPOINT ["tini", "--", "etcron"]
CMD ["worker"]
