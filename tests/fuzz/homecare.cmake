# The fuzzer of the FHIR and JSON mapping: cmake --preset fuzz, then run build/fuzz/…/fuzz_fhir_read DIR. The FHIR
# samples, if they are at hand, are good seeds.
if(NOT CAREHUB_FUZZ OR NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
  return()
endif()
add_executable(fuzz_fhir_read ${CMAKE_CURRENT_LIST_DIR}/fuzz_fhir_read.c)
target_include_directories(fuzz_fhir_read PRIVATE ${PROJECT_SOURCE_DIR}/hub)
target_compile_options(fuzz_fhir_read PRIVATE -fsanitize=fuzzer)
target_link_options(fuzz_fhir_read PRIVATE -fsanitize=fuzzer)
target_link_libraries(fuzz_fhir_read PRIVATE carehub_homecare carehub_options)
