# The receiver in an image without a shell.
#
#   docker build -t mdes-receiver .
#   docker run --read-only -p 8443:8443 \
#     -v ./etc:/etc/mdes-receiver:ro -v mdes-receiver:/var/lib/mdes-receiver mdes-receiver
#
# ./etc holds receiver.toml, certificates and keys, readable by user 65532. In receiver.toml:
#   callback.listen = "0.0.0.0:8443"
#   store.url = "sqlite:///var/lib/mdes-receiver/receiver.db"     (or postgres://…)
# Whatever changes from place to place can come as MDES_RECEIVER__… variables, and secrets as ${NAME}.

FROM rust:1.95-bookworm AS build
WORKDIR /build
# The dependencies first, so that a change in our own code does not build them again.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs \
    && cargo build --locked --profile dist \
    && rm -r src
COPY migrations migrations
COPY src src
# The times tell cargo that ours are newer than the empty ones.
RUN find src -type f -exec touch {} + \
    && cargo build --locked --profile dist \
    && mkdir /state

# What is inside: glibc, libgcc, /etc/passwd with the user "nonroot" (65532), the roots of the web (unused: the
# receiver trusts only the roots that it is configured with), and the three things below. No shell, no packages.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/dist/mdes-receiver /usr/local/bin/mdes-receiver
COPY LICENSE /usr/share/doc/mdes-receiver/LICENSE
# A volume takes over this folder's owner; an SQLite store needs one that it may write.
COPY --from=build --chown=65532:65532 /state /var/lib/mdes-receiver

USER 65532:65532
ENV MDES_RECEIVER_CONFIG=/etc/mdes-receiver/receiver.toml
EXPOSE 8443
VOLUME /var/lib/mdes-receiver
# SIGTERM finishes what was accepted; `callback.limits.stop_secs` bounds it: give `docker stop` a little more.
STOPSIGNAL SIGTERM
# The binary asks its own admin listener, which stays on loopback inside the container.
HEALTHCHECK --interval=10s --timeout=4s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/mdes-receiver", "check", "--health"]
ENTRYPOINT ["/usr/local/bin/mdes-receiver"]
CMD ["serve"]
