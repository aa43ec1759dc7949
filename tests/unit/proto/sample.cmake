# The message types that the tests and fuzzers of pbjson and pbcheck work on, as target carehub_test_sample.
if(TARGET carehub_test_sample)
  return()
endif()
set(sample_dir ${CMAKE_BINARY_DIR}/tests/sample)
file(MAKE_DIRECTORY ${sample_dir})
add_custom_command(
  OUTPUT ${sample_dir}/sample.pb-c.c ${sample_dir}/sample.pb-c.h
  COMMAND ${PROTOC_C} -I ${CMAKE_CURRENT_LIST_DIR} --c_out=${sample_dir} ${CMAKE_CURRENT_LIST_DIR}/sample.proto
  DEPENDS ${CMAKE_CURRENT_LIST_DIR}/sample.proto
  VERBATIM)
add_library(carehub_test_sample STATIC ${sample_dir}/sample.pb-c.c ${sample_dir}/sample.pb-c.h)
target_include_directories(carehub_test_sample SYSTEM PUBLIC ${sample_dir})
target_link_libraries(carehub_test_sample PUBLIC PkgConfig::PROTOBUF_C)
if(CAREHUB_SANITIZE)
  target_compile_options(carehub_test_sample PRIVATE -fsanitize=${CAREHUB_SANITIZE})
endif()
