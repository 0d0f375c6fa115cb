# Helpers that every room's CMakeLists.txt uses: one library, its tests, its fuzzers, all with the same flags.
find_package(PkgConfig REQUIRED)
find_package(GTest REQUIRED)
find_package(Threads REQUIRED)
include(GoogleTest)

add_library(wiregauge_flags INTERFACE)
target_compile_options(wiregauge_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast
  -Woverloaded-virtual -Werror>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-missing-field-initializers>
  -fno-omit-frame-pointer)
target_include_directories(wiregauge_flags INTERFACE ${PROJECT_SOURCE_DIR})
if(WIREGAUGE_SANITIZE)
  add_compile_options(-fsanitize=${WIREGAUGE_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${WIREGAUGE_SANITIZE})
endif()
if(WIREGAUGE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# All test programs and replays, and all libFuzzer programs: what tests/run.py builds in the sanitizer and fuzz presets.
add_custom_target(unit_tests)
add_custom_target(fuzzers)

# wiregauge_room(name SOURCES a.cc … LINKS room…): static library wiregauge_<name>, alias wiregauge::<name>.
function(wiregauge_room name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  if(ARG_SOURCES)
    add_library(wiregauge_${name} STATIC ${ARG_SOURCES})
    target_link_libraries(wiregauge_${name} PUBLIC wiregauge_flags ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS})
  else()
    add_library(wiregauge_${name} INTERFACE)
    target_link_libraries(wiregauge_${name} INTERFACE wiregauge_flags ${ARG_LINKS})
  endif()
  add_library(wiregauge::${name} ALIAS wiregauge_${name})
endfunction()

# wiregauge_test(name SOURCES a_test.cc … LINKS …): one GoogleTest program, each case a ctest entry.
function(wiregauge_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  if(WIREGAUGE_FUZZ)
    return()
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} GTest::gtest GTest::gmock GTest::gtest_main)
  add_dependencies(unit_tests ${name})
  gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 120 PROPERTIES LABELS unit TIMEOUT 300)
endfunction()

# wiregauge_fuzzer(name CORPUS dir SOURCES a_fuzz.cc LINKS …): a libFuzzer program under the fuzz preset. Under the
# other presets the same target function replays the corpus and every truncation of it as an ordinary test.
function(wiregauge_fuzzer name)
  cmake_parse_arguments(ARG "" "CORPUS" "SOURCES;LINKS" ${ARGN})
  if(WIREGAUGE_FUZZ)
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE ${ARG_LINKS})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzzers ${name})
    set_property(GLOBAL APPEND PROPERTY WIREGAUGE_FUZZERS "${name}:${ARG_CORPUS}")
  else()
    add_executable(${name}_replay ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/tests/tools/fuzz_replay.cc)
    target_link_libraries(${name}_replay PRIVATE ${ARG_LINKS})
    add_dependencies(unit_tests ${name}_replay)
    add_test(NAME fuzz_replay.${name} COMMAND ${name}_replay ${ARG_CORPUS})
    set_tests_properties(fuzz_replay.${name} PROPERTIES LABELS unit TIMEOUT 300)
  endif()
endfunction()
