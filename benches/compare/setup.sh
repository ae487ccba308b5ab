#!/usr/bin/env bash
# setup.sh [--postgres] [FOLDER]
#
# Brings the rivals: a virtual environment in FOLDER (target/compare/venv) with those of PyPI, rs_merkle's worker in
# target/compare/rs_merkle, and with --postgres Debian's PostgreSQL server if there is none. May be run again.
# Goes on where one of them fails, says which at the end, and then ends with 1.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
folder=$root/target/compare/venv
wants_postgres=no
failed=()

for argument in "$@"; do
    case $argument in
    --postgres) wants_postgres=yes ;;
    -*) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    *) folder=$argument ;;
    esac
done

step() { printf '\n== %s\n' "$*"; }

# attempt NAME COMMAND...: notes the name if the command fails.
attempt() {
    local name=$1
    shift
    "$@" || { failed+=("$name") && return 1; }
}

postgres_programs() { ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_postgres() {
    # The package would start a server of its own for everybody: ours is private, and only while it is measured.
    as_root apt-get update -qq &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql
}

step "rivals of PyPI, in $folder"
if [ ! -x "$folder/bin/python" ]; then
    attempt "virtual environment (python3-venv installed?)" python3 -m venv "$folder"
fi
[ -x "$folder/bin/python" ] &&
    attempt "packages of PyPI" "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
        --requirement "$here/requirements.txt"

step "rs_merkle, in target/compare/rs_merkle"
attempt "rs_merkle's worker (cargo)" env CARGO_TARGET_DIR="$root/target/compare/rs_merkle" \
    cargo build --quiet --release --locked --manifest-path "$here/rs_merkle/Cargo.toml"

if [ "$wants_postgres" = yes ] && [ -z "$(postgres_programs)" ]; then
    step "PostgreSQL, by apt-get"
    attempt "postgresql (apt-get)" install_postgres
fi

step "versions"
if [ -x "$folder/bin/python" ]; then
    "$folder/bin/python" --version
    while read -r package; do
        version=$("$folder/bin/python" -c "import importlib.metadata as m; print(m.version('$package'))" 2>/dev/null)
        printf '%-12s %s\n' "$package" "${version:-missing}"
    done < <(sed -n 's/^\([a-z-]*\)==.*/\1/p' "$here/requirements.txt")
fi
worker=$root/target/compare/rs_merkle/release/rs-merkle-worker
printf '%-12s %s\n' rs_merkle "$([ -x "$worker" ] && "$worker" --leaves 1 <<<hello | cut -d '"' -f 8 || echo missing)"
programs=$(postgres_programs)
printf '%-12s %s\n' postgresql "$([ -n "$programs" ] && "$programs/postgres" --version | cut -d ' ' -f 3 || echo 'missing (--postgres)')"

if [ ${#failed[@]} -gt 0 ]; then
    printf '\nFAILED: %s\n' "${failed[@]}" >&2
    exit 1
fi
