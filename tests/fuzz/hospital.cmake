# Fuzzers of the HL7 v2 core: clang only, with -DCAREHUB_FUZZ=ON. They take a folder of seeds as argument.
if(NOT CAREHUB_FUZZ OR NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
  return()
endif()
# Compiled anew, so that the library's code is instrumented for coverage.
set(hospital_dir ${PROJECT_SOURCE_DIR}/adapters/hospital)
foreach(name hl7v2 mllp)
  add_executable(fuzz_${name} ${CMAKE_CURRENT_LIST_DIR}/fuzz_${name}.c
    ${hospital_dir}/hl7v2.c ${hospital_dir}/hl7v2_ack.c ${hospital_dir}/hl7v2_batch.c
    ${hospital_dir}/hl7v2_charset.c ${hospital_dir}/hl7v2_decode.c ${hospital_dir}/hl7v2_escape.c
    ${hospital_dir}/hl7v2_parse.c ${hospital_dir}/hl7v2_time.c ${hospital_dir}/hl7v2_zone.c
    ${hospital_dir}/mllp.c)
  target_include_directories(fuzz_${name} PRIVATE ${hospital_dir})
  target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_libraries(fuzz_${name} PRIVATE carehub_options)
endforeach()
