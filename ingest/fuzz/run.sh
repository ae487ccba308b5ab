#!/usr/bin/env bash
# Feeds the decoders whatever bytes reach new code, and stops at the first that makes one of them panic, take over a second
# or over 256 MiB, or say different things by different ways.
#
#   ingest/fuzz/run.sh                      every target, 60 seconds each
#   ingest/fuzz/run.sh 600 nem12 80020      these targets, 600 seconds each
#
# Exit codes: 0 nothing found; 1 something was, and where the file lies; 2 wrong usage; 3 cannot be built here, and why.
#
# Stable Rust and a C++ compiler are all it needs. It starts from corpus/NAME, and from what earlier runs left in
# scratch/corpus/NAME, where it writes what it finds worth keeping; nothing here is written but target/ and scratch/.
# A file that was found: mend the decoder, then commit the file into corpus/NAME, where ingest/tests/corpus.rs decodes it.
# New sound files: cargo run --bin seeds -- corpus, in this folder. FUZZ_TARGET_DIR names another folder to build in,
# FUZZ_FOLDER another folder of targets, FUZZ_FILE_SIZE_MAX the size of its largest file.
set -euo pipefail
export LC_ALL=C
cd "${FUZZ_FOLDER:-$(dirname "$0")}"
platform=x86_64-unknown-linux-gnu
file_size_max=${FUZZ_FILE_SIZE_MAX:-4096}
memory_max_mb=256
file_seconds_max=1

usage() { echo "usage: $0 [SECONDS] [NAME...]" >&2; exit 2; }
cannot() { echo "cannot fuzz here: $*" >&2; exit 3; }

seconds=60
if [ $# -gt 0 ] && [[ $1 =~ ^[0-9]+$ ]] && [ ! -e "fuzz_targets/$1.rs" ]; then
    seconds=$1
    shift
fi
[ "$seconds" -gt 0 ] || usage
names=("$@")
if [ ${#names[@]} = 0 ]; then
    for file in fuzz_targets/*.rs; do names+=("$(basename "$file" .rs)"); done
fi
for name in "${names[@]}"; do
    [ -e "fuzz_targets/$name.rs" ] || { echo "no such target: $name" >&2; usage; }
done

[ "$(uname -s) $(uname -m)" = "Linux x86_64" ] || cannot "the runtime is built for Linux on x86_64"
command -v c++ > /dev/null || cannot "install a C++ compiler"

# What `cargo fuzz` sets, without the sanitizer that stable Rust does not have; overflow is looked for as in a test.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks"
built=${FUZZ_TARGET_DIR:-target}
# With a target named, the programs that run while building are built without those flags.
bins=()
for name in "${names[@]}"; do bins+=(--bin "$name"); done
cargo build --release --locked --quiet --target "$platform" --target-dir "$built" "${bins[@]}" || cannot "see above"

failed=0
for name in "${names[@]}"; do
    corpus=scratch/corpus/$name found=scratch/found/$name log=scratch/$name.log
    mkdir -p "$corpus" "$found"
    rm -f "$found"/*
    ended=0
    "$built/$platform/release/$name" "$corpus" "corpus/$name" -max_total_time="$seconds" -max_len="$file_size_max" \
        -rss_limit_mb="$memory_max_mb" -timeout="$file_seconds_max" -fork=0 -print_final_stats=1 \
        -artifact_prefix="$found/" > "$log" 2>&1 || ended=$?
    # The last line that tells coverage has the corpus as well: `#524288 pulse cov: 2020 ft: 6521 corp: 911/1234Kb …`.
    read -r ran rate kept <<< "$(awk '
        /^stat::number_of_executed_units:/ { ran = $2 }
        /^stat::average_exec_per_sec:/ { rate = $2 }
        match($0, /corp: [0-9]+/) { kept = substr($0, RSTART + 6, RLENGTH - 6) }
        END { print ran + 0, rate + 0, kept + 0 }' "$log")"
    verdict=clean
    if [ "$ended" != 0 ]; then
        failed=1
        file=$(find "$found" -type f | head -1)
        verdict="${file:+FOUND $PWD/$file, }see $PWD/$log"
    fi
    printf '%-12s %10d runs %8d/s %6d files  %s\n' "$name" "$ran" "$rate" "$kept" "$verdict"
done
exit "$failed"
