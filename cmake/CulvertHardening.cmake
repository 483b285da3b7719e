# What the compiler and the linker can do against whoever finds a bug. tests/purity/test_hardening.py looks whether the
# binaries have it.

# Position-independent programs, so that every start has other addresses.
include(CheckPIESupported)
check_pie_supported(LANGUAGES C CXX)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_compile_options(-fstack-protector-strong -fstack-clash-protection)
add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
# The standard library checks indices, iterators and preconditions that it can check in constant time.
add_compile_definitions(_GLIBCXX_ASSERTIONS)
# A variable that is forgotten to be set is zero instead of what was in memory.
add_compile_options(-ftrivial-auto-var-init=zero)
# Jumps only to where functions begin, returns only to where calls were made, on processors that can tell.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
  add_compile_options(-fcf-protection=full)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  add_compile_options(-mbranch-protection=standard)
endif()
# The C library checks sizes of buffers. It needs the optimiser.
add_compile_options("$<$<CONFIG:RelWithDebInfo,Release,MinSizeRel>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=3>")
