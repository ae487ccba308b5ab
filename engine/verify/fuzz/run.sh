#!/usr/bin/env bash
# Feeds the readers of receipts, proofs, notes, heads, requests to witnesses and desks, access lists, policies, blocks, commands and the
# messages between nodes whatever bytes reach new code.
#
#   engine/verify/fuzz/run.sh                      every target, 60 seconds each
#   engine/verify/fuzz/run.sh 600 receipt note     these targets, 600 seconds each
#
# As ingest/fuzz/run.sh, which it runs in this folder: see there for exit codes, and for what to do with a file that was found;
# here engine/verify/tests/texts.rs reads the corpus. A receipt of a day has 4,245 bytes, so files may have 8,192.
set -euo pipefail
folder=$(cd "$(dirname "$0")" && pwd)
FUZZ_FOLDER=$folder FUZZ_FILE_SIZE_MAX=8192 exec "$folder/../../../ingest/fuzz/run.sh" "$@"
