# Fuzzer of the core behind the gate's frames: cmake --preset fuzz; CAREHUB_FUZZ_SEEDS=DIR fuzz_core -runs=0; fuzz_core DIR
if(NOT CAREHUB_FUZZ OR NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
  return()
endif()
add_executable(fuzz_core ${CMAKE_CURRENT_LIST_DIR}/fuzz_core.c ${CMAKE_CURRENT_LIST_DIR}/../unit/core_fixture.c)
target_compile_options(fuzz_core PRIVATE -fsanitize=fuzzer)
target_link_options(fuzz_core PRIVATE -fsanitize=fuzzer)
target_compile_definitions(fuzz_core PRIVATE
  CAREHUB_DEFAULT_POLICY="${PROJECT_SOURCE_DIR}/hub/policy/default.policy")
target_link_libraries(fuzz_core PRIVATE carehub_core carehub_gate PkgConfig::CMOCKA carehub_options)

# Fuzzer of what a backup begins with.
add_executable(fuzz_backup_header ${CMAKE_CURRENT_LIST_DIR}/fuzz_backup_header.c)
target_compile_options(fuzz_backup_header PRIVATE -fsanitize=fuzzer)
target_link_options(fuzz_backup_header PRIVATE -fsanitize=fuzzer)
target_link_libraries(fuzz_backup_header PRIVATE carehub_core carehub_options)
