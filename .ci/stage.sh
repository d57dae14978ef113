# stage NAME LIMIT COMMAND...: runs one stage within its limit and prints its
# time. Sourced by the scripts beside it.
stage() {
    local name=$1 limit=$2 start=$SECONDS
    shift 2
    printf '\n== %s (limit %s)\n' "$name" "$limit"
    if ! timeout --kill-after=10 "$limit" "$@"; then
        printf '== %s FAILED after %d s\n' "$name" $((SECONDS - start)) >&2
        exit 1
    fi
    printf '== %s: %d min %02d s\n' "$name" $(((SECONDS - start) / 60)) $(((SECONDS - start) % 60))
}

# logged NAME: keeps all that the script prints, beside the logs of the products
# that it starts; leaks is the stage that looks for secrets in them.
logged() {
    mkdir -p .local/logs
    exec > >(tee ".local/logs/$1.log") 2>&1
}
leaks() { stage "no secret in any log" 2m go run ./tests/leaks .local/logs; }
