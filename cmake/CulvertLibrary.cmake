# culvert_library(): one folder of culvert/, with the folders it may use made explicit.
#
#   culvert_library(wireguard
#     SOURCES  handshake.cpp session.cpp        # product code
#     DEPENDS  base crypto                      # other folders of culvert/, by name
#     LINKS    PkgConfig::libfoo                # third-party libraries (optional)
#     TESTS    handshake_test.cpp)              # unit tests -> executable wireguard_test
#
# Headers are included as "culvert/<folder>/<file>.h". A folder sees only its own headers and those of its DEPENDS,
# because every folder is mounted in an include directory of its own; so a wrong include does not build.

include(GNUInstallDirs)
find_package(Threads REQUIRED)
if(CULVERT_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

function(culvert_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LINKS;TESTS" ${ARGN})

  list(FIND CULVERT_LAYERS ${name} position)
  foreach(dependency IN LISTS ARG_DEPENDS)
    list(FIND CULVERT_LAYERS ${dependency} dependency_position)
    if(dependency_position LESS 0 OR dependency_position GREATER_EQUAL position)
      message(FATAL_ERROR "culvert/${name} may not depend on culvert/${dependency}: it is not a lower layer (see CULVERT_LAYERS)")
    endif()
  endforeach()

  set(mount "${CMAKE_BINARY_DIR}/include/${name}")
  file(MAKE_DIRECTORY "${mount}/culvert")
  file(CREATE_LINK "${CMAKE_CURRENT_SOURCE_DIR}" "${mount}/culvert/${name}" SYMBOLIC)

  list(TRANSFORM ARG_DEPENDS PREPEND culvert_ OUTPUT_VARIABLE dependencies)
  if(ARG_SOURCES)
    add_library(culvert_${name} STATIC ${ARG_SOURCES})
    set(scope PUBLIC)
  else()
    add_library(culvert_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(culvert_${name} ${scope} "${mount}")
  target_link_libraries(culvert_${name} ${scope} ${dependencies} ${ARG_LINKS})
  set_property(GLOBAL APPEND PROPERTY CULVERT_LIBRARY_TARGETS culvert_${name})

  if(ARG_TESTS AND CULVERT_TESTS)
    culvert_test(${name}_test SOURCES ${ARG_TESTS} DEPENDS ${name})
  endif()
endfunction()

# culvert_test(): a GoogleTest executable, registered with ctest as one test per executable.
function(culvert_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LINKS" ${ARGN})
  if(NOT CULVERT_TESTS)
    return()
  endif()
  list(TRANSFORM ARG_DEPENDS PREPEND culvert_ OUTPUT_VARIABLE dependencies)
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${dependencies} ${ARG_LINKS} GTest::gmock GTest::gtest_main)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # Clang counts it to -Wconversion, GCC does not; literals in tests are not worth a cast.
    target_compile_options(${name} PRIVATE -Wno-sign-conversion)
  endif()
  if(CULVERT_FUZZ)
    # What tests execute is no fuzzer's concern.
    target_compile_options(${name} PRIVATE -fno-sanitize=fuzzer-no-link)
  endif()
  # Tests are compiled more often than they run.
  target_compile_options(${name} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1>)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/test")
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  set_property(GLOBAL APPEND PROPERTY CULVERT_TEST_TARGETS ${name})
endfunction()

# culvert_app(): one binary in build/<preset>/bin.
function(culvert_app name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LINKS" ${ARGN})
  list(TRANSFORM ARG_DEPENDS PREPEND culvert_ OUTPUT_VARIABLE dependencies)
  # Every program wipes what it gives back to the heap.
  add_executable(${name} ${ARG_SOURCES} "${CMAKE_SOURCE_DIR}/apps/common/wiping_heap.cpp")
  target_link_libraries(${name} PRIVATE ${dependencies} ${ARG_LINKS})
  target_compile_definitions(${name} PRIVATE CULVERT_VERSION="${PROJECT_VERSION}")
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT ${name})
  set_property(GLOBAL APPEND PROPERTY CULVERT_APP_TARGETS ${name})
endfunction()

# culvert_fuzz_target(): a libFuzzer executable; only with the presets `asan` and `fuzz`.
function(culvert_fuzz_target name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  if(NOT CULVERT_FUZZ)
    return()
  endif()
  list(TRANSFORM ARG_DEPENDS PREPEND culvert_ OUTPUT_VARIABLE dependencies)
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${dependencies})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set_property(GLOBAL APPEND PROPERTY CULVERT_FUZZ_TARGETS ${name})
endfunction()

# Umbrella targets culvert_all_{library,app,test,fuzz,bench,interop}, so that scripts build just what they need. Call once, after
# all folders were added.
function(culvert_umbrella_targets)
  foreach(kind IN ITEMS LIBRARY APP TEST FUZZ BENCH INTEROP)
    string(TOLOWER ${kind} lower)
    get_property(targets GLOBAL PROPERTY CULVERT_${kind}_TARGETS)
    add_custom_target(culvert_all_${lower})
    if(targets)
      add_dependencies(culvert_all_${lower} ${targets})
    endif()
  endforeach()
endfunction()
