# Fuzzers of the HL7 v2 core: clang only, with -DCAREHUB_FUZZ=ON. They take a folder of seeds as argument.
if(NOT CAREHUB_FUZZ OR NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
  return()
endif()
# Compiled anew, so that the library's code is instrumented for coverage.
set(hospital_dir ${PROJECT_SOURCE_DIR}/adapters/hospital)
foreach(name hl7v2 mllp)
  add_executable(fuzz_${name} ${CMAKE_CURRENT_LIST_DIR}/fuzz_${name}.c
    ${hospital_dir}/hl7v2.c ${hospital_dir}/hl7v2_ack.c ${hospital_dir}/hl7v2_batch.c ${hospital_dir}/hl7v2_batch_check.c
    ${hospital_dir}/hl7v2_charset.c ${hospital_dir}/hl7v2_decode.c ${hospital_dir}/hl7v2_escape.c
    ${hospital_dir}/hl7v2_parse.c ${hospital_dir}/hl7v2_time.c ${hospital_dir}/hl7v2_zone.c
    ${hospital_dir}/mllp.c)
  target_include_directories(fuzz_${name} PRIVATE ${hospital_dir})
  target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_libraries(fuzz_${name} PRIVATE carehub_options)
endforeach()

# The mappings take one byte before the message: see fuzz_hospital_map.c.
file(GLOB hospital_map_sources CONFIGURE_DEPENDS ${hospital_dir}/hl7v2*.c ${hospital_dir}/adt*.c ${hospital_dir}/mdm*.c
  ${hospital_dir}/merge*.c ${hospital_dir}/rx*.c)
add_executable(fuzz_hospital_map ${CMAKE_CURRENT_LIST_DIR}/fuzz_hospital_map.c ${hospital_map_sources})
target_include_directories(fuzz_hospital_map PRIVATE ${hospital_dir} ${PROJECT_SOURCE_DIR}/adapters/sdk)
target_compile_options(fuzz_hospital_map PRIVATE -fsanitize=fuzzer,address,undefined)
target_link_options(fuzz_hospital_map PRIVATE -fsanitize=fuzzer,address,undefined)
target_link_libraries(fuzz_hospital_map PRIVATE carehub_proto carehub_options PkgConfig::SODIUM)

# The way out. Its first byte says how: see fuzz_hospital_out.c.
file(GLOB hospital_plugin_sources CONFIGURE_DEPENDS ${hospital_dir}/hospital_*.c)
add_executable(fuzz_hospital_out ${CMAKE_CURRENT_LIST_DIR}/fuzz_hospital_out.c
  ${hospital_map_sources} ${hospital_plugin_sources} ${PROJECT_SOURCE_DIR}/adapters/host/settings.c)
target_include_directories(fuzz_hospital_out PRIVATE
  ${hospital_dir} ${PROJECT_SOURCE_DIR}/adapters/sdk ${PROJECT_SOURCE_DIR}/adapters/host)
target_compile_options(fuzz_hospital_out PRIVATE -fsanitize=fuzzer,address,undefined)
target_link_options(fuzz_hospital_out PRIVATE -fsanitize=fuzzer,address,undefined)
target_link_libraries(fuzz_hospital_out PRIVATE carehub_proto carehub_options PkgConfig::SODIUM)
