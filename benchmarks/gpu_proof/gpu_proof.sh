#!/bin/sh
# One of the two calls of the proof, on a machine with a GPU, Python 3.12 and torch, and without network:
#
#     sh gpu_proof.sh part-1.tar.xz RESULTS
#     sh gpu_proof.sh part-2.tar.xz RESULTS
#
# RESULTS/report.json has the figures after each step. Further words are options of `python -m benchmarks.gpu_proof
# run`, such as --seconds 100. GPU_PROOF is the folder that both calls unpack into; the second needs the first one's.
set -eu
[ $# -ge 2 ] || { echo "usage: sh gpu_proof.sh part-1.tar.xz RESULTS" >&2; exit 2; }
archive=$1 results=$2
shift 2
place=${GPU_PROOF:-/tmp/gpu_proof}
python=${PYTHON:-python3}
case "$(basename "$archive")" in
    part-1*) part=1 ;;
    part-2*) part=2 ;;
    *) echo "gpu_proof: $archive is no part" >&2; exit 2 ;;
esac
if [ "$part" = 2 ] && [ ! -d "$place/code" ]; then
    echo "gpu_proof: $place has no code: call part 1 on this machine first" >&2
    exit 2
fi
mkdir -p "$place" "$results"
results=$(cd "$results" && pwd)
"$python" -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2], filter="fully_trusted")' \
    "$archive" "$place"
[ "$part" = 2 ] || "$python" "$place/code/benchmarks/gpu_proof/machine_setup.py" "$place"
. "$place/environment.sh"
cd "$place/code"
exec "$place/venv/bin/python" -m benchmarks.gpu_proof run --part "$part" --work "$place/work" \
    --data "$place/data" --results "$results" "$@"
