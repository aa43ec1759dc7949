# The fuzzers of the FHIR and JSON mapping and of the plug-in: cmake --preset fuzz, then run build/fuzz/…/fuzz_fhir_read
# DIR. The FHIR samples, if they are at hand, are good seeds (for fuzz_homecare_format with a byte before them, that
# chooses how they come in).
if(NOT CAREHUB_FUZZ OR NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
  return()
endif()
add_executable(fuzz_fhir_read ${CMAKE_CURRENT_LIST_DIR}/fuzz_fhir_read.c)
target_include_directories(fuzz_fhir_read PRIVATE ${PROJECT_SOURCE_DIR}/hub)
target_compile_options(fuzz_fhir_read PRIVATE -fsanitize=fuzzer)
target_link_options(fuzz_fhir_read PRIVATE -fsanitize=fuzzer)
target_link_libraries(fuzz_fhir_read PRIVATE carehub_homecare carehub_options)

add_executable(fuzz_homecare_format
  ${CMAKE_CURRENT_LIST_DIR}/fuzz_homecare_format.c ${PROJECT_SOURCE_DIR}/adapters/homecare/homecare_format.c)
target_compile_options(fuzz_homecare_format PRIVATE -fsanitize=fuzzer)
target_link_options(fuzz_homecare_format PRIVATE -fsanitize=fuzzer)
target_link_libraries(fuzz_homecare_format PRIVATE carehub_homecare_parts carehub_options)
