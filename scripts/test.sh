#!/usr/bin/env bash
# Lint, types and the fast tests, in an environment that is made or brought up to date first.
#
#   bash scripts/test.sh [PYTEST ARGUMENTS]
set -euo pipefail
started=$SECONDS
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
ensure_environment train dicom dev
cd "$REPOSITORY"
installed=$((SECONDS - started))

# Two test processes share the cores, so each network gets one thread.
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

echo "== ruff"
ruff check vertseg tests scripts
ruff format --check vertseg tests scripts
echo "== mypy"
mypy --strict vertseg scripts
echo "== pytest"
python -m pytest -q -n 2 -m "not slow" "$@"
echo "Environment $installed s, checks $((SECONDS - started - installed)) s."
