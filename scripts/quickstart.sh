#!/usr/bin/env bash
# From nothing to a result: makes the environment, then finds the vertebrae of a scan.
#
#   bash scripts/quickstart.sh [SCAN]
#
# SCAN is a spine CT (NIfTI file, DICOM folder, file or zip). Without one, a phantom patient is rendered first:
# a collapsed vertebra, and a lytic lesion with a broken posterior wall. Results go to runs/quickstart.
set -euo pipefail
started=$SECONDS
[ $# -le 1 ] || { echo "usage: bash scripts/quickstart.sh [SCAN]" >&2; exit 2; }
if [ $# = 1 ]; then
    [ -e "$1" ] || { echo "'$1' does not exist; check the path." >&2; exit 2; }
    scan=$(realpath "$1")
fi
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# Rendering a phantom needs torch, a scan that is given does not.
if [ $# = 1 ]; then ensure_environment runtime dicom; else ensure_environment runtime torch dicom; fi
installed=$((SECONDS - started))

output=$REPOSITORY/runs/quickstart
mkdir -p "$output"
if [ $# = 0 ]; then
    scan=$output/phantom.nii.gz
    echo "Rendering a phantom patient"
    vertseg phantom scan "$scan" --seed 7 --field lumbar --case demo
fi
predicting=$SECONDS
vertseg predict "$scan" --output "$output/result"
echo "Preview: $output/result/preview.png"
echo "Environment $installed s, prediction $((SECONDS - predicting)) s, $((SECONDS - started)) s in all."
