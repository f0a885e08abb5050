# shellcheck shell=bash
# The Python package as its users get it. Source it after needs.sh.
#
#   wheel NAME [REQUIREMENT...]   makes build/venv-NAME with the wheel of python/ as it is now in it, and puts it first in PATH

wheel_requirements=(maturin==1.16.0 'precis-i18n>=1.1.2,<2')

wheel() {
  local name=$1 folder
  shift
  venv "$name" "${wheel_requirements[@]}" "$@" || return
  folder=$NEEDS_BUILD/wheel-$name
  rm -rf "$folder"
  maturin build --quiet --locked --manifest-path "$TOOLCHAIN_ROOT/python/Cargo.toml" --out "$folder" &&
    python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$folder"/*.whl
}
