# packages.sh - which Debian packages are needed, and installing those that are missing. Sourced by quickstart and check.

packages_build=(build-essential cmake ninja-build pkg-config protobuf-c-compiler libprotobuf-c-dev protobuf-compiler
                libzmq3-dev libczmq-dev libuv1-dev libsqlite3-dev libsodium-dev libssl-dev libjson-c-dev
                libxml2-dev libmicrohttpd-dev libgnutls28-dev libcurl4-openssl-dev)
packages_demo=(python3-hl7 curl)
packages_test=(libcmocka-dev python3 python3-zmq python3-protobuf python3-hl7 python3-cryptography clang libclang-rt-dev
               clang-format cppcheck man-db faketime curl)
packages_browser=(chromium poppler-utils)
packages_verifier=(golang-go golang-golang-x-mod-dev) # of tiled logs: the library that others verify them with

# Tells what went wrong and what to do, and ends.
die() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    [ -z "${2:-}" ] || printf '  %s\n' "$2" >&2
    exit 1
}

package_missing() {
    case $1 in
    pkg-config) ! command -v pkg-config >/dev/null ;; # pkgconf serves as well
    *) [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" != installed ] ;;
    esac
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# packages_install NAME...: installs those that are missing. A dot for each package that is done.
packages_install() {
    local missing=() name log
    for name in "$@"; do
        if package_missing "$name"; then missing+=("$name"); fi
    done
    if [ ${#missing[@]} = 0 ]; then
        echo "all ${#} packages are there"
        return
    fi
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
        die "packages are missing, and this is not root: ${missing[*]}" "Run it as root, or install them first."
    echo "installing ${missing[*]}"
    log=$(mktemp)
    if ! (set -o pipefail
        as_root env DEBIAN_FRONTEND=noninteractive sh -c '
            apt-get update -q && apt-get install -q -y --no-install-recommends "$@"' sh "${missing[@]}" 2>&1 |
            tee "$log" | awk '/^(Get:|Setting up)/ { printf "."; fflush() } END { print "" }'); then
        tail -n 20 "$log" >&2
        rm -f "$log"
        die "the packages could not be installed" "The end of what apt said is above."
    fi
    rm -f "$log"
}
