# Fuzzer of what comes from others in the audit log: notes, checkpoints, keys, proofs, receipts. cmake --preset fuzz
if(NOT CAREHUB_FUZZ OR NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
  return()
endif()
add_executable(fuzz_audit ${CMAKE_CURRENT_LIST_DIR}/fuzz_audit.c)
target_compile_options(fuzz_audit PRIVATE -fsanitize=fuzzer)
target_link_options(fuzz_audit PRIVATE -fsanitize=fuzzer)
target_link_libraries(fuzz_audit PRIVATE carehub_cli_parts carehub_audit carehub_options)
