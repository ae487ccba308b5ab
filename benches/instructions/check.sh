#!/usr/bin/env bash
# Counts the instructions of each stage and compares them with expected.csv: a gate that no other load can move.
#
#   benches/instructions/check.sh            fails when a stage takes over 5 % more than expected
#   benches/instructions/check.sh --bless    writes what is counted now as expected
#
# Exit codes: 0 within bounds; 1 a stage got slower, or is not in the list; 2 wrong usage; 3 cannot count here, and why.
#
# Counts depend on the compiler, the C library and on whether the processor has AVX2: the first lines of expected.csv
# say what they were taken with. Of three counts the least is taken: tables seeded at random move stages by less than
# 0.05 %, and the threads of packs-to-batch wait a little more or less, which moves it by half a per cent.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
expected=$here/expected.csv
limit_permille=50
# A byte that `rep stosb` fills or `rep movsb` copies counts as an instruction, and how many bytes the allocator has to
# fill with zeros depends on which it had before: write-parquet, of which a quarter was such zeros, wandered by up to
# 3.2 %. By the vector loop they are a fiftieth of it, and it wanders by less than 0.1 %.
vector_loops=glibc.cpu.x86_rep_stosb_threshold=1073741824:glibc.cpu.x86_rep_movsb_threshold=1073741824

mode=${1:-check}
case $mode in
    check | --bless) ;;
    *) echo "usage: $0 [--bless]" >&2; exit 2 ;;
esac

cannot() { echo "cannot count instructions here: $*" >&2; exit 3; }

[ "$(uname -s) $(uname -m)" = "Linux x86_64" ] || cannot "the expected counts are for Linux on x86_64"
if ! command -v valgrind > /dev/null; then
    command -v apt-get > /dev/null && [ "$(id -u)" = 0 ] || cannot "install valgrind, or run this as root where there is apt-get"
    log=$(mktemp)
    { apt-get update && apt-get install -y --no-install-recommends valgrind; } > "$log" 2>&1 ||
        { tail -3 "$log" >&2; rm -f "$log"; cannot "apt-get does not get valgrind"; }
    rm -f "$log"
fi

# The compiler's own baseline, whatever the caller builds for.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
cargo build --release --locked --quiet -p tallywatt-benches --bin instructions
program=${CARGO_TARGET_DIR:-target}/release/instructions

room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT

# count STAGE SCOPE: the instructions of its counted part, once; of all it does if the scope is the process.
count() {
    local folder=$room/$1 log=$room/$1.log only=()
    [ "$2" = process ] || only=(--toggle-collect='*instructions::counted*')
    mkdir "$folder"
    "$program" --prepare "$1" "$folder" > "$log" 2>&1 || { cat "$log" >&2; exit 1; }
    GLIBC_TUNABLES=$vector_loops valgrind --tool=callgrind --callgrind-out-file=/dev/null "${only[@]}" \
        "$program" "$1" "$folder" > "$log" 2>&1 || { cat "$log" >&2; exit 1; }
    rm -rf "$folder"
    sed -n 's/.*Collected *: *\([0-9][0-9]*\).*/\1/p' "$log" | tail -1
}

{
    echo "# Instructions by stage, written by benches/instructions/check.sh --bless."
    echo "# $(rustc --version)"
    echo "# $(getconf GNU_LIBC_VERSION 2> /dev/null || echo 'another C library')$(grep -qw avx2 /proc/cpuinfo && echo ', AVX2')"
    echo "stage,instructions"
    "$program" | while read -r stage scope; do
        got=$(for _ in 1 2 3; do count "$stage" "$scope" || exit 1; done | sort -n | head -1)
        [ "${got:-0}" -gt 0 ] || { echo "nothing was counted for $stage" >&2; exit 1; }
        echo "$stage,$got"
    done
} > "$room/counted.csv"

if [ "$mode" = --bless ]; then
    cp "$room/counted.csv" "$expected"
    cat "$expected"
    exit
fi
[ -f "$expected" ] || { echo "there is no $expected: run $0 --bless" >&2; exit 1; }
if ! diff <(grep '^#' "$expected") <(grep '^#' "$room/counted.csv") > "$room/tools"; then
    echo "expected.csv was counted with other tools; if nothing else has changed, bless it again:"
    sed -n 's/^[<>]/ &/p' "$room/tools"
fi

awk -F, -v limit="$limit_permille" '
    /^#/ || /^stage,/ { next }
    FNR == NR { expected[$1] = $2; next }
    { order[++count] = $1; got[$1] = $2 }
    END {
        printf "%-16s %14s %14s %9s\n", "stage", "expected", "got", "change"
        for (at = 1; at <= count; at++) {
            stage = order[at]
            if (!(stage in expected)) {
                printf "%-16s %14s %14d %9s  not in the list: bless it\n", stage, "", got[stage], ""
                failed++
                continue
            }
            change = (got[stage] - expected[stage]) * 1000 / expected[stage]
            says = ""
            if (change > limit) { says = "  SLOWER"; failed++ }
            if (change <= -limit) { says = "  faster"; faster++ }
            printf "%-16s %14d %14d %+8.2f%%%s\n", stage, expected[stage], got[stage], change / 10, says
        }
        for (stage in expected) if (!(stage in got)) { printf "%-16s is counted no more: bless the list\n", stage; failed++ }
        if (faster) print faster " faster by 5 % or more: run benches/instructions/check.sh --bless and commit the better figures"
        if (failed) { print failed " not within 5 %: mend it, or bless it in a commit that says why"; exit 1 }
    }' "$expected" "$room/counted.csv"
