# Fuzzer of the forms of an access report; tests/unit/test_report --seed FILE writes a seed for it.
if(NOT CAREHUB_FUZZ OR NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
  return()
endif()
add_executable(fuzz_report ${CMAKE_CURRENT_LIST_DIR}/fuzz_report.c)
target_compile_options(fuzz_report PRIVATE -fsanitize=fuzzer)
target_link_options(fuzz_report PRIVATE -fsanitize=fuzzer)
target_link_libraries(fuzz_report PRIVATE carehub_cli_parts carehub_options)
