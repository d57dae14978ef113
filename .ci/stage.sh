# What the scripts beside it share. Sourced.

# stage NAME LIMIT COMMAND...: runs one stage within its limit and prints its
# time.
stage() {
    local name=$1 limit=$2 start=$SECONDS
    shift 2
    printf '\n== %s (limit %s)\n' "$name" "$limit"
    if ! heed timeout --kill-after=60 "$limit" "$@"; then
        printf '== %s FAILED after %d s\n' "$name" $((SECONDS - start)) >&2
        exit 1
    fi
    printf '== %s: %d min %02d s\n' "$name" $(((SECONDS - start) / 60)) $(((SECONDS - start) % 60))
}

# heed COMMAND...: runs it, and ends it when this script is to end. A shell that
# just waits for a command hears a signal only afterwards.
heed() {
    local code=0 signal=
    "$@" &
    local child=$!
    trap 'signal=130; kill "$child" 2> /dev/null || true' INT
    trap 'signal=143; kill "$child" 2> /dev/null || true' TERM
    wait "$child" || code=$?
    while kill -0 "$child" 2> /dev/null; do # the wait was cut short
        code=0
        wait "$child" || code=$?
    done
    trap - INT TERM
    [ -z "$signal" ] || exit "$signal"
    return "$code"
}

# retry COMMAND...: tries what is downloaded up to three times.
retry() { "$@" || { sleep 5 && "$@"; } || { sleep 20 && "$@"; }; }

# logged NAME: keeps all that the script prints, beside the logs of the products
# that it starts; leaks is the stage that looks for secrets in them.
logged() {
    mkdir -p .local/logs
    exec > >(tee -i ".local/logs/$1.log") 2>&1
}
leaks() { stage "no secret in any log" 2m go run ./tests/leaks .local/logs; }
