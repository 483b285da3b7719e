# Shared by the scripts: where things are, and builds that reuse what ccache knows.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
JOBS=${JOBS:-$(nproc)}
# Lets clones in different folders share compiled objects, without preprocessing each source twice.
export CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1

step() { printf '\n==> %s\n' "$*"; }

# build PRESET TARGET...: configures and builds; prints the compiler's output only if it fails
build() {
  local preset=$1
  shift
  local log=$ROOT/build/$preset.log
  mkdir -p "$ROOT/build"
  echo "building ($preset): $*"
  if ! { cmake -S "$ROOT" --preset "$preset" && cmake --build "$ROOT/build/$preset" -j "$JOBS" --target "$@"; } >"$log" 2>&1; then
    tail -60 "$log"
    echo "The build failed; the whole output is in $log" >&2
    return 1
  fi
}
