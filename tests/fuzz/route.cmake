# Fuzzer of the policy reader: cmake --preset fuzz, then run build/fuzz/…/fuzz_policy DIR with hub/policy as a seed.
if(NOT CAREHUB_FUZZ OR NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
  return()
endif()
add_executable(fuzz_policy ${CMAKE_CURRENT_LIST_DIR}/fuzz_policy.c)
target_compile_options(fuzz_policy PRIVATE -fsanitize=fuzzer)
target_link_options(fuzz_policy PRIVATE -fsanitize=fuzzer)
target_link_libraries(fuzz_policy PRIVATE carehub_core carehub_options)
