# One image with every binary: deskhand (the command) and the functions
# webhook, enhance, catalogue, admin and migrate. The command of the container says
# which one runs:
#
#   docker build -t deskhand .
#   docker run --rm deskhand deskhand keygen
#
# localstack/compose.yaml runs them all.
#
# Two final stages: "release" (the default) has nothing but the binaries;
# "local" adds busybox, which health checks of compose need.

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w -X main.version=${VERSION}" -o /out/ ./cmd/deskhand ./functions/...

FROM gcr.io/distroless/static-debian12:debug-nonroot AS local
ENTRYPOINT []
COPY --from=build /out/ /usr/local/bin/
EXPOSE 8080
CMD ["deskhand", "--help"]

FROM gcr.io/distroless/static-debian12:nonroot AS release
COPY --from=build /out/ /usr/local/bin/
# Where Lambda has it, too: pods have the functions' variables.
COPY infra/certificates/rds.pem /opt/rds.pem
EXPOSE 8080
CMD ["deskhand", "--help"]
