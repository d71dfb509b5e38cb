# Holdfast in one container: a static binary, nothing else, and not as root.
#
#   docker build -t holdfast .
#   docker run -d --name holdfast -p 127.0.0.1:5000:5000 -v holdfast:/var/lib/holdfast holdfast
#   docker exec holdfast /holdfast initial-password
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# Static with glibc 2.36, whose resolver needs no other file: what is built here runs on an empty image.
RUN target="$(uname -m)-unknown-linux-gnu" \
    && RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --profile dist --target "$target" \
    && deploy/image-root.sh "target/$target/dist/holdfast" /image

FROM scratch
COPY --from=build /image/ /
USER 65532:65532
# Inside the container it listens on all its interfaces: whoever publishes the port decides who reaches it. Publish it
# on the loopback address or behind a proxy that ends TLS, or give it [server.tls] and drop BEHIND_PROXY.
ENV HOLDFAST_DATA=/var/lib/holdfast \
    HOLDFAST_SERVER_LISTEN=0.0.0.0:5000 \
    HOLDFAST_SERVER_BEHIND_PROXY=true
VOLUME /var/lib/holdfast
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["/holdfast", "health"]
ENTRYPOINT ["/holdfast"]
CMD ["serve"]
