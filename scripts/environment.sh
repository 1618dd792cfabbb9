# Sourced by the other scripts: makes the virtual environment once, and installs again only when
# pyproject.toml or constraints.txt changed.
#
#   PYTHON        interpreter to make it with (default python3; 3.11 or newer)
#   VERTSEG_VENV  where it lies (default .venv in the repository)

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=${VERTSEG_VENV:-$REPOSITORY/.venv}

refuse() {
    echo "$1" >&2
    exit 2
}

# make_venv: an empty virtual environment at $VENV, unless one is there.
make_venv() {
    local python=${PYTHON:-python3} version
    [ -x "$VENV/bin/python" ] && return
    command -v "$python" >/dev/null ||
        refuse "There is no '$python' here; install Python 3.11 or newer (sudo apt-get install python3 python3-venv) or set PYTHON."
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        refuse "vertseg needs Python 3.11 or newer, but '$python' is $version; set PYTHON to a newer one."
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        refuse "'$python' has no venv module; install it with: sudo apt-get install python$version-venv"
    echo "Making the virtual environment $VENV (Python $version)"
    "$python" -m venv "$VENV" || refuse "The virtual environment $VENV could not be made."
}

# ensure_environment EXTRA...: vertseg is installed, editable, with these extras at least; the environment is active.
ensure_environment() {
    local stamp=$VENV/.vertseg-installed wanted hash extra missing=no
    make_venv
    # shellcheck disable=SC1091
    . "$VENV/bin/activate"
    hash=$(cat "$REPOSITORY/pyproject.toml" "$REPOSITORY/constraints.txt" | sha256sum | cut -d' ' -f1)
    for extra in "$@"; do
        grep -qsx "$hash $REPOSITORY $extra" "$stamp" || missing=yes
    done
    [ "$missing" = no ] && return
    echo "Installing vertseg with [$*]; the first time takes a few minutes"
    wanted=$(IFS=,; echo "$*")
    # torch first, alone, so that its own build is chosen before another package asks for it.
    if [[ ,$wanted, =~ ,(torch|train|evaluate|export|dev), ]]; then
        python -m pip install --quiet --disable-pip-version-check -c "$REPOSITORY/constraints.txt" \
            "$(grep '^torch==' "$REPOSITORY/constraints.txt")" ||
            refuse "torch could not be installed; see pip's message above."
    fi
    python -m pip install --quiet --disable-pip-version-check -c "$REPOSITORY/constraints.txt" \
        -e "$REPOSITORY[$wanted]" ||
        refuse "vertseg could not be installed; see pip's message above."
    { grep -s "^$hash $REPOSITORY " "$stamp" || true; printf "$hash $REPOSITORY %s\n" "$@"; } | sort -u >"$stamp.new"
    mv "$stamp.new" "$stamp"
}
