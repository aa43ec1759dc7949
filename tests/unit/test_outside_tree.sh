#!/bin/sh
# Installs into a scratch prefix, and with nothing but what is there builds and tries the worked example of a format.
#     test_outside_tree.sh BUILD COMPILER EXAMPLES LIBDIR BINDIR     (the last two as in CMake, below the prefix)
set -eu
build=$1 compiler=$2 examples=$3 libdir=$4 bindir=$5
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

fail() {
    echo "$1" >&2
    sed 's/^/    /' out err >&2
    exit 1
}

cmake --install "$build" --prefix "$scratch/prefix" >install.log 2>&1 || { cat install.log >&2; exit 1; }
PKG_CONFIG_PATH=$scratch/prefix/$libdir/pkgconfig
PATH=$scratch/prefix/$bindir:$PATH
export PKG_CONFIG_PATH PATH

cp "$examples/falls_csv.c" .
# shellcheck disable=SC2046 # the flags are several words
$compiler -Wall -shared -fPIC -Wl,-z,defs,-z,now falls_csv.c $(pkg-config --cflags --libs carehub) \
    -o falls_csv.so >out 2>err || fail "the example does not build"
lines=$(wc -l <falls_csv.c)
[ "$lines" -lt 100 ] || fail "the example has $lines lines; it should show that a format needs less than 100"

cat >falls.csv <<'END'
report,fell_at,ssin,place,injury
2026-17,2026-03-01T09:30+01:00,79120100163,bathroom,minor
2026-18,2026-03-01T11:00+01:00,79120100164,stairs,none
2026-19,yesterday,79120100163,stairs,none
2026-20,2026-03-01T11:00+01:00,79120100163,stairs
2026-17,2026-03-01T09:30+01:00,79120100163,bathroom,major
END
status=0
carehub adapter test ./falls_csv.so falls.csv >out 2>err || status=$?
[ "$status" = 1 ] || fail "the example does not run, or its exit status does not say that messages were refused"

expect() { # FILE PATTERN
    grep -Eq -- "$2" "$1" || fail "missing: $2"
}
[ "$(wc -l <out)" = 2 ] || fail "two events were to come of it"
expect out '"type":"FALL_REPORTED".*"injury":"MINOR_INJURY"'
expect out '"amends":.*"nativeId":"2026-17".*"injury":"MAJOR_INJURY"'
expect err 'message 2: 2026-18 \(fall\): refused: event 1 of the message, patient.identifiers\[0\]: .*check digits'
expect err 'message 3: 2026-19 \(fall\): refused: column 2, fell_at: '
expect err 'message 4: 2026-20 \(fall\): refused: column 5, injury: '
expect err '^accepted +2$'
expect err '^FallReported +2$'

plugins=$(pkg-config --variable=plugindir carehub)
cp falls_csv.so "$plugins"
carehub adapter plugins >out 2>err || fail "plug-ins cannot be listed"
expect out 'falls as rows of a CSV file'
if carehub adapter test ./absent.so falls.csv >out 2>err; then
    fail "a plug-in that is not there was tried"
fi
expect err 'there is no plug-in ./absent.so'
