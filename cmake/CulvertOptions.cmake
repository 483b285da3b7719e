# Compiler settings every target shares.

set(CULVERT_SANITIZE "" CACHE STRING "Value for -fsanitize= (empty: none)")
set(CULVERT_SANITIZED_OPTIMISATION "-O0" CACHE STRING "How sanitized code is optimised")
option(CULVERT_UNITY "Compile several sources at once (CulvertUnity.cmake)" ON)
option(CULVERT_FUZZ "Build the libFuzzer targets" OFF)
option(CULVERT_WERROR "Treat warnings as errors" ON)
option(CULVERT_TESTS "Build unit tests" ON)

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
if(CULVERT_SANITIZE)
  # The optimiser costs more compile time on instrumented code than it saves when the tests run.
  set(CMAKE_CXX_FLAGS_DEBUG "${CULVERT_SANITIZED_OPTIMISATION} -g1")
endif()

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

find_program(CULVERT_CCACHE ccache)
if(CULVERT_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER "${CULVERT_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CULVERT_CCACHE}")
endif()

if(NOT CULVERT_SANITIZE)  # sanitizers find the same mistakes and more, and want to see them
  include(CulvertHardening)
endif()
add_compile_options(-Wall -Wextra -Wpedantic -fno-omit-frame-pointer)
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-Wconversion;-Wshadow;-Wnon-virtual-dtor;-Woverloaded-virtual>")
if(CULVERT_WERROR)
  add_compile_options(-Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # Designated initialisers that leave members at their defaults are the point of designated initialisers.
  add_compile_options(-Wno-missing-field-initializers -Wno-missing-designated-field-initializers)
  # libstdc++ 12's std::stable_sort uses what it declares deprecated.
  add_compile_options(-Wno-deprecated-declarations)
else()
  add_compile_options(-Wno-missing-field-initializers)
  # GCC 12 reports false positives in its own std::string at -O3.
  add_compile_options(-Wno-restrict)
endif()
if(CULVERT_SANITIZE)
  add_compile_options(-fsanitize=${CULVERT_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CULVERT_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_link_options(-fuse-ld=lld)  # GNU ld takes a quarter of a minute for each program
  else()
    # GCC 12 reports false positives of these in standard headers once sanitizers change its inlining.
    add_compile_options(-Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-array-bounds -Wno-restrict -Wno-tsan)
  endif()
endif()
if(CULVERT_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
