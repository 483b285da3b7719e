# Shared by the scripts: where things are, and builds that reuse what ccache knows.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
JOBS=${JOBS:-$(nproc)}
# Lets clones in different folders, and copies of the sources, share compiled objects (with CCACHE_BASEDIR, below), without
# preprocessing each source twice.
export CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1

step() { printf '\n==> %s\n' "$*"; }

# build PRESET TARGET...: configures and builds; prints the compiler's output only if it fails
build() {
  build_in "$ROOT" "$@"
}

# build_in SOURCES PRESET TARGET...: the same for a copy of the sources
build_in() {
  local sources=$1 preset=$2
  shift 2
  local log=$sources/build/$preset.log
  mkdir -p "$sources/build"
  echo "building ($preset${sources#"$ROOT"}): $*"
  if ! { cmake -S "$sources" --preset "$preset" &&
    CCACHE_BASEDIR=$sources cmake --build "$sources/build/$preset" -j "$JOBS" --target "$@"; } >"$log" 2>&1; then
    tail -60 "$log"
    echo "The build failed; the whole output is in $log" >&2
    return 1
  fi
}
